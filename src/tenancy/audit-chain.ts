import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { type AuditRecord, AuditRecordSchema } from '../gen/tenure/internal/v1/audit_record_pb.ts'

/** The chain that every change of authority of a tenant (or of the platform) stands in. */
export const authorityChain = 'authority'

/** What the first event of a chain is hashed onto. */
export const chainStart: Uint8Array = Buffer.alloc(32)

/** Keeps these hashes apart from every other use of SHA-256 in the product. */
const domain = 'tenure.audit.v1'

/** Whether two hashes of a chain, each as its engine gives bytes, are one. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b)
}

export type AuditFacts = Omit<AuditRecord, '$typeName' | '$unknown'>

export interface ChainedEvent {
  /** Canonical bytes: stored as they are, hashed as they are stored. */
  readonly record: Uint8Array
  readonly hash: Uint8Array
}

export function chainEvent(previousHash: Uint8Array, facts: AuditFacts): ChainedEvent {
  const record = toBinary(AuditRecordSchema, create(AuditRecordSchema, facts))
  return { record, hash: chainHash(previousHash, record) }
}

export function chainHash(previousHash: Uint8Array, record: Uint8Array): Uint8Array {
  return createHash('sha256').update(domain).update(previousHash).update(record).digest()
}
