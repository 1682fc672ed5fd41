import { createHash, timingSafeEqual } from 'node:crypto'
import { lengthPrefixed } from '../../base/length-prefixed.ts'
import { dataKeyBytes } from '../keyring.ts'

/** One version of a key, as its file holds it. */
export interface KeyRecord {
  readonly version: number
  readonly createTimeMs: number
  /** Secret. */
  readonly key: Buffer
}

const keyMagic = Buffer.from('tenure-key\u0001', 'latin1')
const tombstoneMagic = Buffer.from('tenure-key-destroyed\u0001', 'latin1')
const checkBytes = 32

export const keyRecordBytes = keyMagic.length + 4 + 8 + dataKeyBytes + checkBytes
export const tombstoneBytes = tombstoneMagic.length + 8 + checkBytes

/** Magic, version (32 bit), creation (64 bit, ms), key, check. */
export function encodeKeyRecord(keyId: string, record: KeyRecord): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt32BE(record.version)
  head.writeBigUInt64BE(BigInt(record.createTimeMs), 4)
  return withCheck(keyId, Buffer.concat([keyMagic, head, record.key]))
}

/** Undefined for what encodeKeyRecord has not made for this id and version, to the bit. */
export function decodeKeyRecord(keyId: string, version: number, bytes: Buffer): KeyRecord | undefined {
  const body = checkedBody(keyId, keyMagic, keyRecordBytes, bytes)
  if (body === undefined || body.readUInt32BE(0) !== version) return undefined
  return { version, createTimeMs: Number(body.readBigUInt64BE(4)), key: body.subarray(12) }
}

/** Magic, time of destruction (64 bit, ms), check. */
export function encodeTombstone(keyId: string, destroyTimeMs: number): Buffer {
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(destroyTimeMs))
  return withCheck(keyId, Buffer.concat([tombstoneMagic, time]))
}

/** The time of destruction. */
export function decodeTombstone(keyId: string, bytes: Buffer): number | undefined {
  const body = checkedBody(keyId, tombstoneMagic, tombstoneBytes, bytes)
  return body === undefined ? undefined : Number(body.readBigUInt64BE(0))
}

/** Tells damage, and a file under another key's name, from a key. Against forgery only the folder's permissions help. */
function withCheck(keyId: string, content: Buffer): Buffer {
  const whole = Buffer.concat([content, checkOf(keyId, content)])
  content.fill(0)
  return whole
}

function checkedBody(keyId: string, magic: Buffer, length: number, bytes: Buffer): Buffer | undefined {
  if (bytes.length !== length || !bytes.subarray(0, magic.length).equals(magic)) return undefined
  const end = length - checkBytes
  if (!timingSafeEqual(bytes.subarray(end), checkOf(keyId, bytes.subarray(0, end)))) return undefined
  return bytes.subarray(magic.length, end)
}

function checkOf(keyId: string, content: Buffer): Buffer {
  // In parts: joined first, the key would be copied to memory that nobody overwrites.
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return createHash('sha256')
    .update(lengthPrefixed([keyId]))
    .update(length)
    .update(content)
    .digest()
}
