import { systemClock } from '../../../src/base/clock.ts'
import { createJitter } from '../../../src/base/jitter.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { openVaultKeyring, type VaultKeyringOptions } from '../../../src/keyring/vault/vault-keyring.ts'
import type { VaultCredential } from '../../../src/keyring/vault/vault-lease.ts'
import { silentLog } from '../../../src/observe/log.ts'
import type { OpenBaoRig } from '../../rigs/openbao/start-openbao.ts'
import type { KeyringRig } from './keyring-contract.ts'
import { realRandom } from './local-rig.ts'

export interface VaultRig extends KeyringRig {
  readonly mount: string
  open(options?: Partial<VaultKeyringOptions>): Promise<Keyring>
}

let mounts = 0

/** Keyrings over a mount of their own, as root unless told otherwise. */
export async function makeVaultRig(bao: OpenBaoRig, log = silentLog): Promise<VaultRig> {
  mounts += 1
  const mount = `rig-${mounts}/transit`
  await bao.mountTransit(mount)
  const opened: Keyring[] = []
  return {
    mount,
    async open(options = {}) {
      const keyring = await openVaultKeyring({
        ...vaultOptions(bao.address, mount, tokenOf(bao.rootToken)),
        log,
        ...options,
      })
      opened.push(keyring)
      return keyring
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((keyring) => keyring[Symbol.asyncDispose]()))
    },
  }
}

export function tokenOf(token: string): VaultCredential {
  return { kind: 'token', token }
}

function vaultOptions(address: string, mount: string, credential: VaultCredential): VaultKeyringOptions {
  return {
    ...{ address, mount, credential },
    ...{ namespace: undefined, ca: undefined, random: realRandom, clock: systemClock, log: silentLog },
    jitter: createJitter(realRandom),
    // Machines that run tests are busy; what is about time says so.
    timeoutMs: 10_000,
  }
}
