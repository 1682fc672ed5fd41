import { TenureError } from './base/errors.ts'
import { nilUuid, platformTenantId, tenantLevel } from './base/ids.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { openValue, sealValue } from './keyring/envelope.ts'
import type { Keyring } from './keyring/keyring.ts'
import { KeyringError } from './keyring/keyring-error.ts'
import { openLocalKeyring } from './keyring/local/local-keyring.ts'
import { openVaultKeyring } from './keyring/vault/vault-keyring.ts'
import type { Runtime } from './server.ts'
import type { Directory } from './tenancy/directory.ts'
import type { PlatformCapability } from './tenancy/platform-capability.ts'
import { SealedKeyTable } from './tenancy/sealed-key.ts'

/** The keyring's key for what belongs to the platform itself. */
export const platformKeyId = 'tenure-platform'
const keyBytes = 32

/** A key of the platform's own: made at the first start, kept sealed in the directory, the same on every server. */
export interface PlatformKey {
  readonly name: string
  /** Authenticated with it, so that the envelope of one key opens as no other. */
  readonly purpose: string
}

export const platformKeys = {
  /** What page tokens are sealed with. */
  pageToken: { name: 'page-token', purpose: 'page-token-key' },
  /** What the codes of rows that grant power are made with. */
  rowCode: { name: 'row-code', purpose: 'row-code-key' },
} as const satisfies Record<string, PlatformKey>

function placeOf({ purpose }: PlatformKey) {
  return { purpose, tenantId: platformTenantId, workspaceId: tenantLevel, objectId: nilUuid, version: 1 }
}

/** Opens the keyring of the configuration; what is wrong with it is a sentence for the operator. */
export async function openKeyring(config: Config, runtime: Runtime): Promise<Keyring> {
  await using stack = new AsyncDisposableStack()
  try {
    const keyring = stack.use(await openAdapter(config.keyring, runtime))
    await checkPlatformKey(keyring)
    stack.move()
    return keyring
  } catch (error) {
    throw asStartError(error)
  }
}

/** A failure of the keyring while a server starts is a sentence for its operator. */
export function asStartError(error: unknown): unknown {
  return error instanceof KeyringError ? new StartError(error.message) : error
}

function openAdapter(config: Config['keyring'], runtime: Runtime): Promise<Keyring> {
  const { random, clock, jitter, log } = runtime
  if (config.kind === 'local') return openLocalKeyring({ folder: config.folder, random, clock })
  return openVaultKeyring({ ...config, random, clock, jitter, log })
}

/** A key that lets its material out must stop the start: it would take years of secrets with it before anybody looks. */
async function checkPlatformKey(keyring: Keyring): Promise<void> {
  try {
    await keyring.describeKey(platformKeyId)
  } catch (error) {
    // Before the first start there is none.
    if (!(error instanceof KeyringError && error.reason === 'UNKNOWN_KEY')) throw error
  }
}

export interface PlatformKeyParts extends Pick<Runtime, 'random' | 'clock'> {
  readonly directory: Directory
  readonly capability: PlatformCapability<'sealed-keys'>
  readonly keyring: Keyring
}

/** Opens the key, and makes it where there is none yet. `beforeKept` hears of one that is new before anything is stored. */
export async function openPlatformKey(
  parts: PlatformKeyParts,
  which: PlatformKey,
  beforeKept: (key: Uint8Array) => Promise<void> = async () => undefined,
): Promise<Uint8Array> {
  const { directory, capability, keyring } = parts
  const { name: keyName } = which
  const stored = await directory.read(capability, (scope) => scope.rows(SealedKeyTable).find({ keyName }))
  if (stored !== undefined) return unseal(keyring, which, stored.envelope)
  const key = Buffer.alloc(keyBytes)
  parts.random(key)
  const envelope = await sealFirst(parts, which, key)
  await beforeKept(key)
  const createTime = new Date(parts.clock.nowMs())
  try {
    await directory.writeUnlogged(capability, (scope) =>
      scope.rows(SealedKeyTable).insert({ keyName, envelope, createTime }),
    )
  } catch (error) {
    // Another server started on the same empty database, and was first.
    if (!(error instanceof TenureError && error.reason === 'ALREADY_EXISTS')) throw error
    return openPlatformKey(parts, which, beforeKept)
  }
  return key
}

async function sealFirst(
  { keyring, random }: PlatformKeyParts,
  which: PlatformKey,
  key: Uint8Array,
): Promise<Uint8Array> {
  try {
    await keyring.createKey(platformKeyId)
    return await sealValue(keyring, platformKeyId, placeOf(which), key, random)
  } catch (error) {
    throw asStartError(error)
  }
}

async function unseal(keyring: Keyring, which: PlatformKey, envelope: Uint8Array): Promise<Uint8Array> {
  try {
    return await openValue(keyring, platformKeyId, placeOf(which), envelope)
  } catch (error) {
    if (error instanceof KeyringError && (error.reason === 'UNKNOWN_KEY' || error.reason === 'BAD_CIPHERTEXT')) {
      throw new StartError(
        'The keyring is not the one this database was made with: it cannot open what it sealed. Put the keyring back, or set TENURE_KEYRING to it.',
      )
    }
    throw asStartError(error)
  }
}
