import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { RandomFill, TenantId, WorkspaceId } from '../base/ids.ts'
import { isUuid } from '../base/ids.ts'
import { lengthPrefixed } from '../base/length-prefixed.ts'
import { type SealedEnvelope, SealedEnvelopeSchema } from '../gen/tenure/internal/v1/sealed_envelope_pb.ts'
import { badCiphertext, open, type Sealed, seal } from './aead.ts'
import type { Keyring, WrappedDataKey } from './keyring.ts'
import { KeyringError } from './keyring-error.ts'

/** The one place a sealed value opens at: all of it is authenticated with the value, none of it is stored in the envelope. */
export interface SealedPlace {
  /** What the value is for, `[a-z0-9-]{1,64}`. Values of one purpose do not open under another. */
  readonly purpose: string
  readonly tenantId: TenantId
  readonly workspaceId: WorkspaceId
  /** UUID of the object the value belongs to; never a name, which can be made to mean another object. */
  readonly objectId: string
  /** Version of the value within its object, so that an old one cannot be put back in place of a new one. */
  readonly version: number
}

/** 1: the data key is wrapped for the very place of its value. 2: for every value of one purpose in one workspace. */
export type EnvelopeFormat = 1 | 2

const ownDataKey: EnvelopeFormat = 1
const maxValueBytes = 1024 * 1024
const maxEnvelopeBytes = maxValueBytes + 4096
const purposePattern = /^[a-z0-9-]{1,64}$/

/**
 * Seals a value under a fresh data key that the keyring wraps under `keyId`. The answer is a `SealedEnvelope` in bytes,
 * safe to store. Throws what Keyring.generateDataKey throws; INVALID for a place that is none or more than 1 MiB.
 */
export async function sealValue(
  keyring: Keyring,
  keyId: string,
  place: SealedPlace,
  plaintext: Uint8Array,
  random: RandomFill,
): Promise<Uint8Array> {
  checkValue(plaintext)
  const authenticated = authenticatedDataOf(place, keyId)
  const dataKey = await keyring.generateDataKey(keyId, authenticated)
  try {
    return encodeEnvelope(ownDataKey, dataKey.wrapped, seal(dataKey.plaintext, authenticated, plaintext, random))
  } finally {
    dataKey.plaintext.fill(0)
  }
}

/**
 * The value `sealValue` sealed at this very place under this very key. Throws BAD_CIPHERTEXT where one bit of envelope or
 * place differs, and what Keyring.unwrapDataKey throws.
 */
export async function openValue(
  keyring: Keyring,
  keyId: string,
  place: SealedPlace,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  const authenticated = authenticatedDataOf(place, keyId)
  const envelope = parseEnvelope(ownDataKey, sealed)
  // The envelope comes from a row somebody may have written; which key opens it is for the caller to say.
  if (envelope.keyId !== keyId) throw badCiphertext()
  const wrapped = { keyId, keyVersion: envelope.keyVersion, bytes: envelope.wrappedDataKey }
  const dataKey = await keyring.unwrapDataKey(wrapped, authenticated)
  try {
    return open(dataKey, authenticated, envelope)
  } finally {
    dataKey.fill(0)
  }
}

export function checkValue(plaintext: Uint8Array): void {
  if (plaintext.length > maxValueBytes) throw new KeyringError('INVALID', 'A sealed value has at most 1 MiB.')
}

/** What a value is authenticated with, whatever the format. */
export function authenticatedDataOf(place: SealedPlace, keyId: string): Uint8Array {
  const { purpose, tenantId, workspaceId, objectId, version } = place
  const hasIds = isUuid(tenantId) && isUuid(workspaceId) && isUuid(objectId)
  if (!purposePattern.test(purpose) || !hasIds || !Number.isSafeInteger(version) || version < 0) {
    throw new KeyringError('INVALID', 'A sealed place is a purpose, three UUIDs and a version; one of them is none.')
  }
  return lengthPrefixed([purpose, tenantId, workspaceId, objectId, String(version), keyId])
}

export function encodeEnvelope(
  format: EnvelopeFormat,
  { keyId, keyVersion, bytes }: WrappedDataKey,
  { nonce, ciphertext }: Sealed,
): Uint8Array {
  const fields = { format, keyId, keyVersion, wrappedDataKey: bytes, nonce, ciphertext }
  return toBinary(SealedEnvelopeSchema, create(SealedEnvelopeSchema, fields))
}

/** One envelope has one encoding: others (unknown fields, fields twice, long varints) would let a stored value be changed unseen. */
export function parseEnvelope(format: EnvelopeFormat, bytes: Uint8Array): SealedEnvelope {
  if (bytes.length > maxEnvelopeBytes) throw badCiphertext()
  let envelope: SealedEnvelope
  try {
    envelope = fromBinary(SealedEnvelopeSchema, bytes, { readUnknownFields: false })
  } catch {
    throw badCiphertext()
  }
  const canonical = toBinary(SealedEnvelopeSchema, envelope)
  if (envelope.format !== format || Buffer.compare(canonical, bytes) !== 0) throw badCiphertext()
  return envelope
}
