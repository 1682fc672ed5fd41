import type { RandomFill } from '../../base/ids.ts'
import { lengthPrefixed } from '../../base/length-prefixed.ts'
import { nonceBytes, open, seal, tagBytes } from '../aead.ts'
import { dataKeyBytes } from '../keyring.ts'

const formatVersion = 1
/** What Transit makes of 32 bytes: nonce, ciphertext, tag. */
const transitBytes = nonceBytes + dataKeyBytes + tagBytes
const wrappedBytes = 1 + transitBytes + nonceBytes + dataKeyBytes + tagBytes
const transitPattern = /^vault:v([1-9]\d{0,8}):([A-Za-z0-9+/]+={0,2})$/

/** A ciphertext of Transit, taken apart: as text, one of them could be written in more than one way. */
export interface TransitCiphertext {
  readonly version: number
  readonly bytes: Buffer
}

/** Undefined for what Transit does not make of 32 bytes. */
export function parseTransitCiphertext(text: unknown): TransitCiphertext | undefined {
  const [, version, encoded] = (typeof text === 'string' ? transitPattern.exec(text) : null) ?? []
  const bytes = Buffer.from(encoded ?? '', 'base64')
  return version === undefined || bytes.length !== transitBytes ? undefined : { version: Number(version), bytes }
}

export function formatTransitCiphertext(version: number, bytes: Uint8Array): string {
  return `vault:v${version}:${Buffer.from(bytes).toString('base64')}`
}

/** Format byte, what Transit made of the wrapping key, nonce, ciphertext of the data key with its tag. */
export function sealDataKey(
  keyId: string,
  { wrappingKey, wrappedByTransit }: { readonly wrappingKey: Uint8Array; readonly wrappedByTransit: Uint8Array },
  dataKey: Uint8Array,
  authenticatedData: Uint8Array,
  random: RandomFill,
): Uint8Array {
  const { nonce, ciphertext } = seal(wrappingKey, boundTo(keyId, authenticatedData), dataKey, random)
  return Buffer.concat([Buffer.of(formatVersion), wrappedByTransit, nonce, ciphertext])
}

/** Undefined for bytes that are no wrapped data key at all. */
export function splitWrapped(bytes: Uint8Array): { byTransit: Uint8Array; sealed: Uint8Array } | undefined {
  if (bytes.length !== wrappedBytes || bytes[0] !== formatVersion) return undefined
  const end = 1 + transitBytes
  return { byTransit: bytes.subarray(1, end), sealed: bytes.subarray(end) }
}

export function openDataKey(
  keyId: string,
  wrappingKey: Uint8Array,
  sealed: Uint8Array,
  authenticatedData: Uint8Array,
): Uint8Array {
  const parts = { nonce: sealed.subarray(0, nonceBytes), ciphertext: sealed.subarray(nonceBytes) }
  return open(wrappingKey, boundTo(keyId, authenticatedData), parts)
}

/** With the format in it, bytes of one format cannot be passed off as another's. The version is bound by Transit itself. */
function boundTo(keyId: string, authenticatedData: Uint8Array): Uint8Array {
  return lengthPrefixed(['tenure-vault-data-key', String(formatVersion), keyId, authenticatedData])
}
