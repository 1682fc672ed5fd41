import { create } from '@bufbuild/protobuf'
import type { Clock } from '../base/clock.ts'
import { type Ids, platformTenantId, type RandomFill, tenantLevel } from '../base/ids.ts'
import { StartError } from '../base/start-error.ts'
import { GetJwksResponseSchema } from '../gen/tenure/v1/signing_key_service_pb.ts'
import { makeSigningKey, openSigningKey, type PublicJwk, publicJwkOf, type SigningKey } from '../jwt/signing-key.ts'
import { openValue, type SealedPlace, sealValue } from '../keyring/envelope.ts'
import type { Keyring } from '../keyring/keyring.ts'
import { KeyringError } from '../keyring/keyring-error.ts'
import type { Directory, PlatformUnit } from '../tenancy/directory.ts'
import type { PlatformCapability } from '../tenancy/platform-capability.ts'
import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { SigningKeyRow } from './signing-key.ts'
import { SigningKeyTable } from './signing-key-table.ts'

/** What tokens are signed with now, and what they are verified with. */
export interface SigningKeys {
  readonly active: SigningKey
  /** Every key whose tokens are good. */
  readonly published: readonly PublicJwk[]
}

export interface SigningKeyParts {
  readonly directory: Directory
  readonly capability: PlatformCapability<'signing-keys'>
  readonly keyring: Keyring
  /** Of the keyring: what private halves are sealed under. It exists. */
  readonly keyId: string
  readonly clock: Clock
  readonly ids: Ids
  readonly random: RandomFill
  /** Hears of a key that cannot be opened, and is neither used nor published. */
  readonly failed: (kid: string, error: unknown) => void
}

export function signingKeyRows(scope: PlatformReadScope): Rows<SigningKeyRow> {
  return scope.rows(SigningKeyTable)
}

/**
 * Opens the keys of this installation; its first start makes one. What is published comes from the private halves: a
 * public key somebody put into a row by itself has none that opens.
 */
export async function openSigningKeys(parts: SigningKeyParts): Promise<SigningKeys> {
  const stored = await readKeys(parts)
  const rows = stored.some(isActive) ? stored : await withFirstKey(parts)
  const published: PublicJwk[] = []
  let active: SigningKey | undefined
  for (const row of rows.filter(({ state }) => state !== 'REVOKED')) {
    const opened = await openKey(parts, row)
    if (opened === undefined) continue
    published.push(opened.publicJwk)
    if (row.state === 'ACTIVE') active ??= opened.signingKey
  }
  if (active === undefined) throw unopenedSigningKey()
  return { active, published }
}

export function unopenedSigningKey(): StartError {
  return new StartError(
    'The key that tokens are signed with cannot be opened: its row in signing_keys is not what was written, or the keyring is not the one it was made with. Put back what was changed.',
  )
}

/** Undefined, and `failed` hears why, where the row is not what this keyring sealed. */
export async function openKey(
  { keyring, keyId, failed }: Pick<SigningKeyParts, 'keyring' | 'keyId' | 'failed'>,
  { kid, signingKeyId, envelope }: Pick<SigningKeyRow, 'kid' | 'signingKeyId' | 'envelope'>,
): Promise<{ readonly publicJwk: PublicJwk; readonly signingKey: SigningKey } | undefined> {
  let privateKeyPkcs8: Uint8Array | undefined
  try {
    privateKeyPkcs8 = await openValue(keyring, keyId, placeOf(signingKeyId), envelope)
    return { publicJwk: await publicJwkOf(privateKeyPkcs8), signingKey: await openSigningKey({ kid, privateKeyPkcs8 }) }
  } catch (error) {
    if (error instanceof KeyringError && error.reason === 'UNAVAILABLE') throw error
    failed(kid, error)
    return undefined
  } finally {
    privateKeyPkcs8?.fill(0)
  }
}

function readKeys({ directory, capability }: SigningKeyParts): Promise<SigningKeyRow[]> {
  return directory.read(capability, (scope) => signingKeyRows(scope).all({}))
}

/** Every key, one that was made here among them. */
async function withFirstKey(parts: SigningKeyParts): Promise<SigningKeyRow[]> {
  const { directory, capability, keyring, keyId, clock, ids, random } = parts
  const { kid, publicJwk, privateKeyPkcs8 } = await makeSigningKey(random)
  const signingKeyId = ids.next()
  const now = new Date(clock.nowMs())
  const sealed = sealValue(keyring, keyId, placeOf(signingKeyId), privateKeyPkcs8, random)
  const envelope = await sealed.finally(() => privateKeyPkcs8.fill(0))
  const row: SigningKeyRow = {
    ...{ signingKeyId, kid, algorithm: 'EdDSA', publicKey: { ...publicJwk }, envelope, state: 'ACTIVE' },
    ...{ createTime: now, activateTime: now },
  }
  const actor = { principal: 'serviceAccounts/root', credential: 'start', requestId: ids.next(), clientIp: '' }
  const mutation = {
    ...{ event: 'signingKeys.create', target: `signingKeys/${kid}`, idempotency: undefined, validateOnly: false },
    response: GetJwksResponseSchema,
  }
  try {
    await directory.write(capability, actor, mutation, async (unit: PlatformUnit) => {
      // Under the lock of the head: a start that was taken for dead may have made one since the keys were read.
      if ((await signingKeyRows(unit).all({})).some(isActive)) throw new KeyIsThere()
      await signingKeyRows(unit).insert(row)
      return create(GetJwksResponseSchema)
    })
  } catch (error) {
    if (!(error instanceof KeyIsThere)) throw error
  }
  return readKeys(parts)
}

/** Nothing is written, not even that it was tried. */
class KeyIsThere extends Error {
  override readonly name = 'KeyIsThere'
}

function isActive({ state }: SigningKeyRow): boolean {
  return state === 'ACTIVE'
}

function placeOf(signingKeyId: string): SealedPlace {
  const place = { tenantId: platformTenantId, workspaceId: tenantLevel, objectId: signingKeyId, version: 1 }
  return { purpose: 'signing-key', ...place }
}
