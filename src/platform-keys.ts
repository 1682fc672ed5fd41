import type { CodeFamily } from './base/coded-columns.ts'
import { isTaken } from './base/errors.ts'
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
import { type SealedKeyRow, SealedKeyTable } from './tenancy/sealed-key.ts'

/** The keyring's key for what belongs to the platform itself. */
export const platformKeyId = 'tenure-platform'
const keyBytes = 32

/** A key of the platform's own: made at the first start, kept sealed in the directory, the same on every server. */
export interface PlatformKey {
  readonly name: string
  /** Authenticated with it, so that the envelope of one key opens as no other. */
  readonly purpose: string
  /**
   * A key of the keyring that stands for: there was one. It is made when the key is kept, and nothing is sealed with it.
   * Who takes the key out of the database cannot make a start believe that there never was one.
   */
  readonly anchor?: string
}

export const platformKeys = {
  /** What page tokens are sealed with. */
  pageToken: { name: 'page-token', purpose: 'page-token-key' },
  /** What the codes of rows that grant power are made with. */
  rowCode: { name: 'row-code', purpose: 'row-code-key', anchor: 'tenure-row-codes' },
  /** The same of rows that say what a name stands for. */
  placeCode: { name: 'place-code', purpose: 'place-code-key', anchor: 'tenure-place-codes' },
  /** The same of operations. */
  operationCode: { name: 'operation-code', purpose: 'operation-code-key', anchor: 'tenure-operation-codes' },
} as const satisfies Record<string, PlatformKey>

/** The key of each family of codes. */
export const codeKeys = {
  grants: platformKeys.rowCode,
  places: platformKeys.placeCode,
  operations: platformKeys.operationCode,
} as const satisfies Record<CodeFamily, PlatformKey>

function placeOf({ purpose }: PlatformKey) {
  return { purpose, tenantId: platformTenantId, workspaceId: tenantLevel, objectId: nilUuid, version: 1 }
}

/** Opens the keyring of the configuration; what is wrong with it is a sentence for the operator. Who only looks makes nothing. */
export async function openKeyring(
  config: Config,
  runtime: Runtime,
  { lookOnly = false }: { readonly lookOnly?: boolean } = {},
): Promise<Keyring> {
  await using stack = new AsyncDisposableStack()
  try {
    const keyring = stack.use(await openAdapter(config.keyring, runtime, lookOnly))
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

function openAdapter(config: Config['keyring'], runtime: Runtime, lookOnly: boolean): Promise<Keyring> {
  const { random, clock, jitter, log } = runtime
  if (config.kind === 'local') return openLocalKeyring({ folder: config.folder, random, clock, lookOnly })
  return openVaultKeyring({ ...config, random, clock, jitter, log })
}

/** A key that lets its material out must stop the start: it would take years of secrets with it before anybody looks. */
async function checkPlatformKey(keyring: Keyring): Promise<void> {
  // Before the first start there is none.
  await isThere(keyring, platformKeyId)
}

export interface PlatformKeyParts extends Pick<Runtime, 'random' | 'clock'> {
  readonly directory: Directory
  readonly capability: PlatformCapability<'sealed-keys'>
  readonly keyring: Keyring
}

/** `asked for`: somebody wants a new one; `unused`: nothing rests on it, so that a new one does no harm. */
export type IfLost = 'refuse' | 'unused' | 'asked for'

export interface FirstKeyOptions {
  /** Hears of a key that is the first, or that somebody has asked for, before anything is stored. */
  readonly beforeKept?: (key: Uint8Array) => Promise<void>
  /** What to do where there was one before. */
  readonly ifLost?: () => Promise<IfLost>
  /** Asked before a first key is kept: throws where another server may be making one. */
  readonly assertAlone?: () => Promise<void>
}

/** Opens the key, and makes it where there is none yet, or none that opens and somebody says so. */
export async function openPlatformKey(
  parts: PlatformKeyParts,
  which: PlatformKey,
  options: FirstKeyOptions = {},
): Promise<Uint8Array> {
  const { directory, capability, keyring } = parts
  const { name: keyName, anchor } = which
  const stored = await directory.read(capability, (scope) => scope.rows(SealedKeyTable).find({ keyName }))
  const opened = stored === undefined ? undefined : await unseal(keyring, which, stored.envelope)
  const key = opened ?? (await makeKey(parts, which, options, stored))
  // Behind the key, because a start may end between the two: the next one makes up for it.
  if (anchor !== undefined) await inWords(keyring.createKey(anchor))
  return key
}

/** `broken`: what stands there and does not open. */
async function makeKey(
  parts: PlatformKeyParts,
  which: PlatformKey,
  options: FirstKeyOptions,
  broken: SealedKeyRow | undefined,
): Promise<Uint8Array> {
  const { directory, capability, keyring } = parts
  const { name: keyName, anchor } = which
  const isLost = broken !== undefined || (anchor !== undefined && (await inWords(isThere(keyring, anchor))))
  if (isLost) await assertOurs(parts)
  const ifLost = isLost ? ((await options.ifLost?.()) ?? 'refuse') : undefined
  if (ifLost === 'refuse') throw lostKey(broken)
  const key = Buffer.alloc(keyBytes)
  parts.random(key)
  const envelope = await sealFirst(parts, which, key)
  // What rests on an unused key by now was put there since, by whoever took the old one.
  if (ifLost !== 'unused') await options.beforeKept?.(key)
  const createTime = new Date(parts.clock.nowMs())
  try {
    await directory.writeUnlogged(capability, async (scope) => {
      const rows = scope.rows(SealedKeyTable)
      if (broken !== undefined) await rows.delete(keyName)
      await rows.insert({ keyName, envelope, createTime })
      await options.assertAlone?.()
    })
  } catch (error) {
    // Another server started on the same empty database, and was first.
    if (!isTaken(error)) throw error
    const kept = await openPlatformKey(parts, which, options)
    // What rests on the key was made ready for the other one.
    if (ifLost !== 'unused') await options.beforeKept?.(kept)
    return kept
  }
  return key
}

export function lostKey(broken: unknown): StartError {
  return new StartError(
    `The key that rows are coded with ${broken === undefined ? 'is gone from' : 'was overwritten in'} the database: the keyring says that there was one. Put back what stood in sealed_keys. Where that cannot be, look at who has power in this database, and then run tenure recode.`,
  )
}

async function sealFirst(
  { keyring, random }: PlatformKeyParts,
  which: PlatformKey,
  key: Uint8Array,
): Promise<Uint8Array> {
  await inWords(keyring.createKey(platformKeyId))
  return inWords(sealValue(keyring, platformKeyId, placeOf(which), key, random))
}

function inWords<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((error: unknown) => Promise.reject(asStartError(error)))
}

export async function isThere(keyring: Keyring, keyId: string): Promise<boolean> {
  try {
    await keyring.describeKey(keyId)
    return true
  } catch (error) {
    if (error instanceof KeyringError && error.reason === 'UNKNOWN_KEY') return false
    throw error
  }
}

/** Undefined: it does not open, and the keyring is one that there was such a key beside. */
export async function unseal(
  keyring: Keyring,
  which: PlatformKey,
  envelope: Uint8Array,
): Promise<Uint8Array | undefined> {
  const opened = await opens(keyring, which, envelope)
  if (opened !== undefined) return opened
  if (which.anchor !== undefined && (await inWords(isThere(keyring, which.anchor)))) return undefined
  throw wrongKeyring()
}

/**
 * Every installation has such a key beside its keyring. Whether this is the one of this database, another key tells: one
 * that was overwritten with it has to be taken out of the database first.
 */
async function assertOurs({ directory, capability, keyring }: PlatformKeyParts): Promise<void> {
  const { name: keyName } = platformKeys.pageToken
  const other = await directory.read(capability, (scope) => scope.rows(SealedKeyTable).find({ keyName }))
  if (other !== undefined && (await opens(keyring, platformKeys.pageToken, other.envelope)) === undefined)
    throw wrongKeyring()
}

/** Undefined: it is not what this keyring sealed. */
async function opens(keyring: Keyring, which: PlatformKey, envelope: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    return await openValue(keyring, platformKeyId, placeOf(which), envelope)
  } catch (error) {
    const isForeign =
      error instanceof KeyringError && (error.reason === 'UNKNOWN_KEY' || error.reason === 'BAD_CIPHERTEXT')
    if (isForeign) return undefined
    throw asStartError(error)
  }
}

function wrongKeyring(): StartError {
  return new StartError(
    'The keyring is not the one this database was made with: it cannot open what it sealed. Put the keyring back, or set TENURE_KEYRING to it.',
  )
}
