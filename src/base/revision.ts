import { isUuid, uuidFromBytes, uuidToBytes } from './ids.ts'

/** A point in the history of one tenant (the nil UUID: of the directory). Carried outside as one opaque token. */
export interface Revision {
  readonly directoryRevision: number
  readonly tenantId: string
  /** Changes on restore or forced fail-over: a revision of another timeline can never be waited for. */
  readonly timelineId: string
  readonly placementEpoch: number
  readonly tenantRevision: number
}

const formatVersion = 1
const tokenBytes = 1 + 16 + 16 + 8 + 4 + 8

export function encodeRevision(revision: Revision): string {
  const bytes = Buffer.alloc(tokenBytes)
  bytes.writeUInt8(formatVersion, 0)
  uuidToBytes(revision.tenantId).copy(bytes, 1)
  uuidToBytes(revision.timelineId).copy(bytes, 17)
  bytes.writeBigUInt64BE(BigInt(revision.directoryRevision), 33)
  bytes.writeUInt32BE(revision.placementEpoch, 41)
  bytes.writeBigUInt64BE(BigInt(revision.tenantRevision), 45)
  return bytes.toString('base64url')
}

/** Undefined when the token is not one that `encodeRevision` makes. */
export function decodeRevision(token: string): Revision | undefined {
  const bytes = Buffer.from(token, 'base64url')
  // The comparison refuses every other spelling of the same bytes: base64 decoders skip what they do not know.
  if (bytes.length !== tokenBytes || bytes.toString('base64url') !== token || bytes.readUInt8(0) !== formatVersion)
    return undefined
  const directoryRevision = Number(bytes.readBigUInt64BE(33))
  const tenantRevision = Number(bytes.readBigUInt64BE(45))
  if (!Number.isSafeInteger(directoryRevision) || !Number.isSafeInteger(tenantRevision)) return undefined
  const tenantId = uuidFromBytes(bytes.subarray(1, 17))
  const timelineId = uuidFromBytes(bytes.subarray(17, 33))
  if (!isUuid(tenantId) || !isUuid(timelineId)) return undefined
  return { directoryRevision, tenantId, timelineId, placementEpoch: bytes.readUInt32BE(41), tenantRevision }
}
