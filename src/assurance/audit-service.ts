import { create, fromBinary, type JsonObject } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { notFound } from '../base/errors.ts'
import { platformTenantId, tenantLevel } from '../base/ids.ts'
import { AuditRecordSchema } from '../gen/tenure/internal/v1/audit_record_pb.ts'
import { type AuditEvent, AuditEvent_Outcome, AuditEventSchema } from '../gen/tenure/v1/audit_event_pb.ts'
import {
  type AuditChainPoint,
  AuditService,
  ListAuditEventsResponseSchema,
  VerifyAuditChainResponseSchema,
} from '../gen/tenure/v1/audit_service_pb.ts'
import { type Call, implement, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import { authorityChain } from '../tenancy/audit-chain.ts'
import type { JournalReader, JournalScope } from '../tenancy/journal-store.ts'
import type { JournalRow } from '../tenancy/journal-table.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import { type ChainVerdict, type KnownPoint, verifyChain } from '../tenancy/verify-chain.ts'
import { headRows } from '../tenants/tenant-store.ts'
import type { CheckpointEvidence, Evidence } from './checkpoints/checkpoint-evidence.ts'

export interface AuditServiceParts {
  readonly journal: JournalReader
  readonly evidence: CheckpointEvidence
  readonly tokens: PageTokens
  /** Makes what was recorded a moment ago visible in what is listed now. */
  readonly flush: () => Promise<void>
}

const listSpec: ListSpec = {
  tieBreak: 'eventId',
  defaultOrder: { field: 'event_time', descending: true },
  fields: {
    chain: { property: 'chain', kind: 'text', filter: true },
    event: { property: 'event', kind: 'text', filter: true },
    principal: { property: 'principal', kind: 'text', filter: true },
    target: { property: 'target', kind: 'text', filter: true },
    event_time: { property: 'eventTime', kind: 'time', filter: true, order: true },
  },
}

export function createAuditService(parts: AuditServiceParts): ServiceImplementation {
  return implement(AuditService, {
    async listAuditEvents(request, call) {
      await parts.flush()
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      const workspaceId = call.context?.workspaceId ?? tenantLevel
      const fixed =
        workspaceId === tenantLevel
          ? []
          : [{ sql: 'row.workspaceId = :workspace', parameters: { workspace: workspaceId } }]
      const page = await readJournal(parts, call, (journal) =>
        listPage(journal.rows, listSpec, request, binding, parts.tokens, fixed),
      )
      const tenant = call.context?.tenantSlug ?? ''
      return create(ListAuditEventsResponseSchema, {
        auditEvents: page.rows.map((row) => auditEventToProto(row, tenant)),
        nextPageToken: page.nextPageToken,
      })
    },
    async verifyAuditChain(request, call) {
      await parts.flush()
      const chain = request.chain === '' ? authorityChain : request.chain
      const tenantId = call.context?.tenantId ?? platformTenantId
      const place = { tenantId, chain }
      // First: an honest chain only goes on from there.
      const evidence = await parts.evidence.of(place)
      const verdict = await readJournal(parts, call, async (journal) => {
        const there = chain === authorityChain || (await journal.chainEnd(chain)) !== undefined
        // A chain that was signed for and is gone is a finding, not an unknown name.
        if (!there && evidence.kind === 'none') throw notFound()
        return verifyChain(journal, place, [...pointsOf(evidence), ...request.knownPoints.map(keptPoint)])
      })
      return verificationToProto(verdict, evidence)
    },
  })
}

function pointsOf(evidence: Evidence): KnownPoint[] {
  if (evidence.kind !== 'point') return []
  const { number, sequence, hash } = evidence
  return [{ sequence, hash, source: `checkpoint ${number}` }]
}

function keptPoint({ sequence, hash }: AuditChainPoint): KnownPoint {
  return { sequence: Number(sequence), hash, source: 'a point that was given' }
}

function verificationToProto(verdict: ChainVerdict, evidence: Evidence) {
  const damaged = verdict.valid && evidence.kind === 'damaged'
  return create(VerifyAuditChainResponseSchema, {
    valid: verdict.valid && !damaged,
    verifiedCount: BigInt(verdict.verifiedCount),
    firstBadSequence: damaged ? 1n : BigInt(verdict.firstBadSequence),
    headHash: Buffer.from(verdict.headHash).toString('hex'),
    checkpoint: evidence.kind === 'none' ? '' : `auditCheckpoints/${evidence.number}`,
    checkpointSequence: evidence.kind === 'point' ? BigInt(evidence.sequence) : 0n,
    problem: damaged
      ? `Checkpoint ${evidence.number}, which holds it, is gone or is not what this installation signed.`
      : verdict.problem,
  })
}

function readJournal<T>(
  { journal }: AuditServiceParts,
  { context }: Call,
  work: (journal: JournalScope) => Promise<T>,
): Promise<T> {
  if (context === undefined) return journal.ofPlatform(work)
  return journal.ofTenant(context, (scope) => headRows(scope).find({}), work)
}

/** From the record alone: what is shown is what is hashed. */
function auditEventToProto(row: JournalRow, tenant: string): AuditEvent {
  const record = fromBinary(AuditRecordSchema, row.record)
  return create(AuditEventSchema, {
    name: `${tenant === '' ? '' : `tenants/${tenant}/`}auditEvents/${record.eventId}`,
    chain: record.chain,
    sequence: record.sequence,
    eventTime: timestampFromMs(Number(record.eventTimeMs)),
    principal: record.principal,
    credential: record.credential,
    event: record.event,
    target: record.target,
    outcome: record.denied ? AuditEvent_Outcome.DENIED : AuditEvent_Outcome.SUCCESS,
    reason: record.reason,
    requestId: record.requestId,
    clientIp: record.clientIp,
    details: JSON.parse(record.detailsJson) as JsonObject,
    hash: Buffer.from(row.hash).toString('hex'),
  })
}
