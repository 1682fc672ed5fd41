import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Clock } from '../base/clock.ts'
import { platformTenantId } from '../base/ids.ts'
import { placeName } from '../base/resource-name.ts'
import type { Status } from '../gen/google/rpc/status_pb.ts'
import {
  AccessService,
  type BatchAuthorizeResponse_Item,
  BatchAuthorizeResponse_ItemSchema,
  BatchAuthorizeResponseSchema,
  GetCallerResponseSchema,
} from '../gen/tenure/v1/access_service_pb.ts'
import type { Metrics } from '../observe/metrics.ts'
import { type Call, callerOf, implement, type ServiceImplementation } from '../rpc/call.ts'
import { answerBytes, answerMessage } from './engine/answer-bytes.ts'
import { decide } from './engine/decision.ts'
import { powerOfCaller } from './power.ts'
import { type Asked, askAnywhere, askAtPlace, type SubjectParts } from './questions.ts'
import type { Staleness } from './staleness.ts'

export interface AccessServiceParts extends SubjectParts {
  readonly clock: Clock
  readonly staleness: Staleness
  readonly metrics: Pick<Metrics, 'accessDecided'>
  /** What Authorize would have failed with, for an item of a batch. */
  readonly statusOf: (error: unknown, call: Call) => Status
}

/** GetCaller lists at most this many workspaces. */
const maxWorkspaces = 1_000

export function createAccessService(parts: AccessServiceParts): ServiceImplementation {
  const decideAsked = (asked: Asked) => {
    if (asked.kind === 'question') parts.staleness.assertFresh(asked.question.permission)
    const decision =
      asked.kind === 'decided' ? asked.decision : decide(asked.snapshot, asked.question, parts.clock.nowMs())
    parts.metrics.accessDecided(decision.reason)
    return decision
  }
  return implement(AccessService, {
    authorize(request, call) {
      const view = request.contextView
      // A place that is not there may be newer than this server, and the question say so.
      const isAnywhere = request.parent === '' || (call.context === undefined && request.atLeastRevision !== '')
      const asked = isAnywhere ? askAnywhere(parts, request, call) : askAtPlace(parts, request, call.context)
      if (asked instanceof Promise) return asked.then((found) => ({ encoded: answerBytes(decideAsked(found), view) }))
      return { encoded: answerBytes(decideAsked(asked), view) }
    },
    async batchAuthorize(request, call) {
      const items: BatchAuthorizeResponse_Item[] = []
      for (const { correlationId, request: question } of request.items) {
        if (question === undefined) throw new Error('an item without a request passed validation')
        let result: BatchAuthorizeResponse_Item['result']
        try {
          // Each item is asked for by itself: nothing of one item can answer for another.
          const asked = await askAnywhere(parts, question, call)
          result = { case: 'response', value: answerMessage(decideAsked(asked), question.contextView) }
        } catch (error) {
          result = { case: 'error', value: parts.statusOf(error, call) }
        }
        items.push(create(BatchAuthorizeResponse_ItemSchema, { correlationId, result }))
      }
      return create(BatchAuthorizeResponseSchema, { items })
    },
    getCaller: (_request, call) => getCaller(parts, call),
  })
}

async function getCaller(parts: AccessServiceParts, call: Call) {
  const caller = callerOf(call)
  const snapshot = await parts.engines.of(caller.tenantId)
  if (snapshot === undefined) throw new Error('the tenant of an authenticated caller is not in memory')
  const nowMs = parts.clock.nowMs()
  const platform = caller.tenantId === platformTenantId
  const own = caller.workspaceSlug === '' ? undefined : snapshot.workspaceBySlug(caller.workspaceSlug)
  const power = powerOfCaller(snapshot, caller, own, nowMs)
  const subject = { kind: 'api_key', apiKeyId: caller.credentialId } as const
  const workspaces = platform
    ? []
    : snapshot
        .workspaces()
        .filter(({ slug }) => decide(snapshot, { subject, workspace: slug, permission: '' }, nowMs).allow)
        .map(({ slug }) => placeName({ tenant: caller.tenantSlug, workspace: slug }))
  return create(GetCallerResponseSchema, {
    principal: caller.principal,
    credentialKind: caller.credentialKind,
    credential: caller.credential,
    tenant: placeName({ tenant: caller.tenantSlug, workspace: '' }),
    workspaces: workspaces.sort().slice(0, maxWorkspaces),
    permissions: power
      .indexes()
      .map((index) => snapshot.catalogue.nameAt(index) ?? '')
      .sort(),
    ...(caller.expireTimeMs === undefined ? {} : { expireTime: timestampFromMs(caller.expireTimeMs) }),
  })
}
