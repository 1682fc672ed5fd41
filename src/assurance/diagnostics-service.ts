import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { notFound } from '../base/errors.ts'
import { type Ids, platformTenantId } from '../base/ids.ts'
import { lastSegment } from '../base/resource-name.ts'
import {
  DiagnoseIsolationResponseSchema,
  DiagnosticsService,
  GetIsolationReportResponseSchema,
  GetServerInfoResponseSchema,
  ListGuardViolationsResponseSchema,
  ListIsolationReportsResponseSchema,
} from '../gen/tenure/v1/diagnostics_service_pb.ts'
import { operationToProto } from '../operations/operation-proto.ts'
import { beginOperation } from '../operations/operation-store.ts'
import { actorOf, implement, mutationOf, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import type { Directory } from '../tenancy/directory.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import { guardViolationToProto } from './guard-violation-proto.ts'
import { guardViolationRows } from './guard-violation-store.ts'
import { isolationReportToProto } from './isolation-report-proto.ts'
import { isolationReportRows } from './isolation-report-store.ts'
import { type ReportParts, reportGuardViolations } from './report-guard-violations.ts'

/** Facts of the running server that do not change while it runs. */
export interface ServerFacts {
  readonly version: string
  readonly schemaVersion: number
  readonly engine: string
  readonly keyring: string
  readonly startMs: number
  readonly features: readonly string[]
  readonly feedFreshnessMs: () => number
}

export interface DiagnosticsServiceParts extends ReportParts {
  readonly facts: ServerFacts
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly tokens: PageTokens
  readonly ids: Ids
  /** Resolves when what the guard refused a moment ago is listed. */
  readonly flushViolations: () => Promise<void>
  /** There is a new operation to be done. */
  readonly wake: () => void
}

export const diagnoseIsolationKind = 'diagnostics.diagnoseIsolation'

const reportSpec: ListSpec = {
  tieBreak: 'reportId',
  defaultOrder: { field: 'create_time', descending: true },
  without: ['signedReport'],
  fields: {
    outcome: { property: 'outcome', kind: 'word', filter: true, words: ['PASSED', 'FAILED', 'INCOMPLETE'] },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

const violationSpec: ListSpec = {
  tieBreak: 'violationId',
  defaultOrder: { field: 'last_time', descending: true },
  fields: {
    source: { property: 'source', kind: 'text', filter: true },
    tenant_uid: { property: 'tenantUid', kind: 'text', filter: true },
    reason: { property: 'reason', kind: 'text', filter: true },
    mode: { property: 'guardMode', kind: 'word', filter: true, words: ['ENFORCE', 'REPORT'] },
    last_time: { property: 'lastTime', kind: 'time', filter: true, order: true },
  },
}

export function createDiagnosticsService(parts: DiagnosticsServiceParts): ServiceImplementation {
  const { facts, directory, capabilities, tokens } = parts
  const capability = capabilities.diagnostics
  return implement(DiagnosticsService, {
    getServerInfo: () => serverInfo(facts),
    async diagnoseIsolation(_request, call) {
      const mutation = mutationOf(call, DiagnoseIsolationResponseSchema, { target: '' })
      const answer = await directory.write(capability, actorOf(call), mutation, async (unit) => {
        const row = await beginOperation(unit, {
          ...{ tenantId: platformTenantId, operationId: parts.ids.next(), kind: diagnoseIsolationKind, target: '' },
          ...{ actor: actorOf(call), input: {}, now: unit.now },
        })
        const operation = operationToProto(row, { tenant: '' })
        return create(DiagnoseIsolationResponseSchema, { operation, revision: unit.revision })
      })
      parts.wake()
      return answer
    },
    async getIsolationReport(request) {
      const reportId = lastSegment(request.name)
      const row = await directory.read(capability, (scope) => isolationReportRows(scope).find({ reportId }))
      if (row === undefined) throw notFound()
      return create(GetIsolationReportResponseSchema, { isolationReport: isolationReportToProto(row, true) })
    },
    async listIsolationReports(request, call) {
      const binding = pageBindingOf(call, [request.filter, request.orderBy])
      const page = await directory.read(capability, (scope) =>
        listPage(isolationReportRows(scope), reportSpec, request, binding, tokens),
      )
      return create(ListIsolationReportsResponseSchema, {
        isolationReports: page.rows.map((row) => isolationReportToProto(row, false)),
        nextPageToken: page.nextPageToken,
      })
    },
    async listGuardViolations(request, call) {
      await parts.flushViolations()
      const binding = pageBindingOf(call, [request.filter, request.orderBy])
      const page = await directory.read(capability, (scope) =>
        listPage(guardViolationRows(scope), violationSpec, request, binding, tokens),
      )
      return create(ListGuardViolationsResponseSchema, {
        guardViolations: page.rows.map(guardViolationToProto),
        nextPageToken: page.nextPageToken,
      })
    },
    reportGuardViolations: (request, call) => reportGuardViolations(parts, request, call),
  })
}

function serverInfo(facts: ServerFacts) {
  return create(GetServerInfoResponseSchema, {
    version: facts.version,
    schemaVersion: facts.schemaVersion,
    engine: facts.engine,
    keyring: facts.keyring,
    startTime: timestampFromMs(facts.startMs),
    feedFreshness: durationFromMs(Math.round(facts.feedFreshnessMs())),
    features: [...facts.features],
  })
}
