import { createHash } from 'node:crypto'
import { z } from 'zod'

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

const hash = z.string().regex(/^[0-9a-f]{64}$/)

const schema: z.ZodType<CheckpointDocument> = z.object({
  number: z.int().min(1),
  createTimeMs: z.int().min(0),
  previous: z.union([hash, z.literal('')]),
  chains: z.array(
    z.object({
      tenant: z.string(),
      tenantUid: z.string(),
      chain: z.string(),
      sequence: z.int().min(0),
      hash,
      timeline: z.string(),
    }),
  ),
})

/** Undefined where it is not such a document, signed or not. */
export function checkpointDocumentFrom(signed: unknown): CheckpointDocument | undefined {
  return schema.safeParse(signed).data
}

/** SHA-256 of the signed document in compact form, in lower-case hex. */
export function digestOf(jws: string | Uint8Array): string {
  return createHash('sha256').update(jws).digest('hex')
}
