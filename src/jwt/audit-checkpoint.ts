import { createHash } from 'node:crypto'

/** Where one chain was, as a checkpoint says it. */
export interface CheckpointChain {
  /** `tenants/{tenant}`; empty for the platform. */
  readonly tenant: string
  /** The nil UUID for the platform. */
  readonly tenantUid: string
  readonly chain: string
  readonly sequence: number
  /** 64 lower-case hex digits: the hash of the event there. */
  readonly hash: string
  /** Another one than before: the database was restored, and the chain may go on from an earlier event. */
  readonly timeline: string
}

/** What a checkpoint signs. Together they are a chain of their own: each has a number and the digest of the one before. */
export interface CheckpointDocument {
  /** Counts from 1, without gaps. */
  readonly number: number
  readonly createTimeMs: number
  /** `digestOf` the one before; empty for the first. */
  readonly previous: string
  readonly chains: readonly CheckpointChain[]
}

/** Undefined where it is not such a document, signed or not. */
export function checkpointDocumentFrom(signed: unknown): CheckpointDocument | undefined {
  if (!isObject(signed)) return undefined
  const { number, createTimeMs, previous, chains } = signed
  const whole = isCount(number) && number > 0 && isCount(createTimeMs) && (previous === '' || isHash(previous))
  return whole && Array.isArray(chains) && chains.every(isChain)
    ? { number, createTimeMs, previous, chains }
    : undefined
}

function isChain(value: unknown): value is CheckpointChain {
  if (!isObject(value)) return false
  const { tenant, tenantUid, chain, sequence, hash, timeline } = value
  return (
    [tenant, tenantUid, chain, timeline].every((text) => typeof text === 'string') && isCount(sequence) && isHash(hash)
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

/** SHA-256 of the signed document in compact form, in lower-case hex. */
export function digestOf(jws: string | Uint8Array): string {
  return createHash('sha256').update(jws).digest('hex')
}
