import type { KeyVersion } from '../keyring.ts'
import { field, numberIn, textIn } from './answer-fields.ts'

/** A key as Transit describes it. */
export interface TransitKey {
  /** Oldest first. */
  readonly versions: readonly KeyVersion[]
  /** Versions before it are kept from decrypting by a setting of the key. */
  readonly minDecryptionVersion: number
  /** Why nothing may be sealed under it, as the end of a sentence; undefined: nothing is wrong. */
  readonly flaw: string | undefined
}

/** Undefined for what does not describe a key. */
export function transitKeyFrom(data: unknown): TransitKey | undefined {
  const versions = versionsIn(field(data, 'keys'))
  const minDecryptionVersion = numberIn(data, 'min_decryption_version')
  if (versions === undefined || minDecryptionVersion === undefined) return undefined
  return { versions, minDecryptionVersion, flaw: flawOf(data) }
}

/**
 * What would let key material out, in order of weight. `exportable` and `allow_plaintext_backup` cannot be taken back once
 * set, so such a key is never good again. Whatever is not plainly denied counts as set.
 */
function flawOf(data: unknown): string | undefined {
  if (textIn(data, 'type') !== 'aes256-gcm96') return 'is not of type aes256-gcm96'
  if (field(data, 'exportable') !== false) return 'is exportable'
  if (field(data, 'allow_plaintext_backup') !== false) return 'allows backups in plaintext'
  if (field(data, 'derived') !== false) return 'is derived or convergent'
  if (isSet(data, 'imported_key')) return 'was imported, so that others may know it'
  if (isSet(data, 'soft_deleted')) return 'is soft-deleted, which is neither here nor gone'
  return undefined
}

/** Of what older servers do not say at all. */
function isSet(data: unknown, name: string): boolean {
  const value = field(data, name)
  return value !== undefined && value !== false
}

function versionsIn(keys: unknown): KeyVersion[] | undefined {
  if (typeof keys !== 'object' || keys === null) return undefined
  const versions = Object.keys(keys).map((name) => {
    const createTimeSeconds = numberIn(keys, name)
    return {
      version: Number(name),
      createTimeMs: createTimeSeconds === undefined ? Number.NaN : createTimeSeconds * 1000,
    }
  })
  const isWhole = versions.every(({ version, createTimeMs }) => version >= 1 && Number.isSafeInteger(createTimeMs))
  if (!isWhole || versions.length === 0) return undefined
  return versions.sort((one, other) => one.version - other.version)
}
