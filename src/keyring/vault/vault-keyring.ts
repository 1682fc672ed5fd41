import type { Clock } from '../../base/clock.ts'
import type { RandomFill } from '../../base/ids.ts'
import type { Log } from '../../observe/log.ts'
import type { Keyring } from '../keyring.ts'
import { KeyringError } from '../keyring-error.ts'
import { createCallLine } from './call-line.ts'
import { createHttpTransport } from './http-transport.ts'
import { createKeyWatch } from './key-watch.ts'
import { createTransitStore, type TransitStore } from './transit-store.ts'
import { VaultAway } from './vault-away.ts'
import { createVaultCalls } from './vault-calls.ts'
import { createVaultClient } from './vault-client.ts'
import { createVaultDataKeys } from './vault-data-keys.ts'
import { createVaultKeyLife } from './vault-key-life.ts'
import type { VaultCredential } from './vault-lease.ts'
import { openVaultLogin, type VaultLogin } from './vault-login.ts'

export interface VaultKeyringOptions {
  /** Of Vault or OpenBao: http:// or https://, host and port. */
  readonly address: string
  /** Path the transit engine is mounted at. */
  readonly mount: string
  readonly namespace: string | undefined
  /** PEM of the authorities the server's certificate must come from. Undefined: those this machine trusts. */
  readonly ca: Buffer | undefined
  readonly credential: VaultCredential
  /** Must be a cryptographic source: data keys and nonces come from it. */
  readonly random: RandomFill
  readonly clock: Clock
  readonly jitter: () => number
  readonly log: Log
  /** Of one call of Vault, its wait and a new login included. Default: 2 s. */
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 2_000
const holdOffMs = 300
const maxInFlight = 32
const maxWaiting = 1_024

/** No key has this id: looking for it asks whether Vault is there, lets us in, and has the engine. */
const healthId = 'health'

/**
 * The keyring in a Transit engine of HashiCorp Vault or OpenBao: one key of Transit for each key, which never leaves.
 * Throws UNAVAILABLE where Vault is away or refuses the login, INVALID where it is not set up.
 */
export async function openVaultKeyring(options: VaultKeyringOptions): Promise<Keyring> {
  const { address, namespace, mount, clock, log, timeoutMs = defaultTimeoutMs } = options
  const where = new URL(address).origin
  await using stack = new AsyncDisposableStack()
  const transport = stack.use(
    createHttpTransport({
      isEncrypted: address.startsWith('https:'),
      ca: options.ca,
      // Logins and renewals do not wait behind calls.
      maxConnections: maxInFlight + 2,
    }),
  )
  const login = stack.use(
    await logIn(options, where, (token) => createVaultClient({ address, namespace, transport }, token)),
  )
  const line = createCallLine({
    ...{ clock, timeoutMs, maxInFlight, maxWaiting, holdOffMs, where },
    changed: (isAway, why) => {
      if (isAway) log.error({ vault: where, why }, 'Vault is away')
      else log.info({ vault: where }, 'Vault answers again')
    },
  })
  const store = createTransitStore(createVaultCalls({ line, login, where, jitter: options.jitter }), mount)
  await store.read(healthId)
  return keyringOver(store, options, stack.move())
}

async function logIn(
  { credential, clock, jitter, log, timeoutMs = defaultTimeoutMs }: VaultKeyringOptions,
  where: string,
  clientFor: Parameters<typeof openVaultLogin>[0]['clientFor'],
): Promise<VaultLogin> {
  try {
    return await openVaultLogin({ credential, clientFor, clock, jitter, log, timeoutMs })
  } catch (error) {
    throw error instanceof VaultAway ? new KeyringError('UNAVAILABLE', error.sentence(where)) : error
  }
}

function keyringOver(
  store: TransitStore,
  { clock, random }: VaultKeyringOptions,
  owned: AsyncDisposableStack,
): Keyring {
  const watch = createKeyWatch(store, clock)
  const life = createVaultKeyLife(store, watch)
  const dataKeys = createVaultDataKeys(store, watch, random)
  const { run, close } = createDoor()
  return {
    createKey: (keyId) => run(() => life.createKey(keyId)),
    rotateKey: (keyId) => run(() => life.rotateKey(keyId)),
    destroyKey: (keyId) => run(() => life.destroyKey(keyId)),
    describeKey: (keyId) => run(() => life.describeKey(keyId)),
    generateDataKey: (keyId, authenticated) => run(() => dataKeys.generateDataKey(keyId, authenticated)),
    unwrapDataKey: (wrapped, authenticated) => run(() => dataKeys.unwrapDataKey(wrapped, authenticated)),
    rewrapDataKey: (wrapped, authenticated) => run(() => dataKeys.rewrapDataKey(wrapped, authenticated)),
    checkHealth: () => run(async () => void (await store.read(healthId))),
    async [Symbol.asyncDispose]() {
      await close()
      await owned.disposeAsync()
    },
  }
}

/** What is in may finish, with all the calls of Vault it takes: a destruction must not end between two of them. */
function createDoor() {
  const inside = new Set<Promise<unknown>>()
  let isClosed = false
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isClosed) throw new KeyringError('UNAVAILABLE', 'The keyring is closed.')
    const call = work()
    inside.add(call)
    try {
      return await call
    } finally {
      inside.delete(call)
    }
  }
  const close = async (): Promise<void> => {
    isClosed = true
    await Promise.allSettled(inside)
  }
  return { run, close }
}
