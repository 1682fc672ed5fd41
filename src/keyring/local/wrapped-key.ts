import type { RandomFill } from '../../base/ids.ts'
import { lengthPrefixed } from '../../base/length-prefixed.ts'
import { badCiphertext, nonceBytes, open, seal, tagBytes } from '../aead.ts'
import { dataKeyBytes } from '../keyring.ts'
import type { KeyRecord } from './key-record.ts'

const formatVersion = 1
const wrappedBytes = 1 + nonceBytes + dataKeyBytes + tagBytes

/** Format byte, nonce, ciphertext with its tag. */
export function wrapDataKey(
  keyId: string,
  record: KeyRecord,
  dataKey: Uint8Array,
  authenticatedData: Uint8Array,
  random: RandomFill,
): Uint8Array {
  const { nonce, ciphertext } = seal(record.key, boundTo(keyId, record, authenticatedData), dataKey, random)
  return Buffer.concat([Buffer.of(formatVersion), nonce, ciphertext])
}

export function unwrapDataKey(
  keyId: string,
  record: KeyRecord,
  wrapped: Uint8Array,
  authenticatedData: Uint8Array,
): Uint8Array {
  if (wrapped.length !== wrappedBytes || wrapped[0] !== formatVersion) throw badCiphertext()
  const sealed = { nonce: wrapped.subarray(1, 1 + nonceBytes), ciphertext: wrapped.subarray(1 + nonceBytes) }
  return open(record.key, boundTo(keyId, record, authenticatedData), sealed)
}

/** With the format in it, bytes of one format cannot be passed off as another's. */
function boundTo(keyId: string, record: KeyRecord, authenticatedData: Uint8Array): Uint8Array {
  return lengthPrefixed([
    'tenure-local-data-key',
    String(formatVersion),
    keyId,
    String(record.version),
    authenticatedData,
  ])
}
