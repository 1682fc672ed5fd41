import { create, toBinary } from '@bufbuild/protobuf'
import { platformTenantId } from '../../base/ids.ts'
import { placeName, principalNameIn } from '../../base/resource-name.ts'
import {
  type AuthorizeResponse,
  AuthorizeResponseSchema,
  ContextView,
  DecisionReason,
  Decision as DecisionVerdict,
} from '../../gen/tenure/v1/access_service_pb.ts'
import { type TenantContext, TenantContextSchema } from '../../gen/tenure/v1/tenant_context_pb.ts'
import type { CompiledBinding } from './compiled-binding.ts'
import { type Decision, noAccess } from './decision.ts'

const noAccessBytes = encode(noAccess, ContextView.NONE)

/**
 * The encoded AuthorizeResponse. The bytes may be shared between answers: they are sent, never written to.
 *
 * A granted answer with the basic context says the same whatever was asked and with whichever key, so it is encoded
 * once per binding and revision; encoding it anew costs several times the decision.
 */
export function answerBytes(decision: Decision, view: ContextView): Buffer {
  if (decision === noAccess) return noAccessBytes
  const { binding, revision } = decision
  if (binding === undefined || decision.reason !== 'GRANTED' || !isBasic(view)) return encode(decision, view)
  if (binding.granted?.revision !== revision) binding.granted = { revision, bytes: encode(decision, view) }
  return binding.granted.bytes
}

export function answerMessage(decision: Decision, view: ContextView): AuthorizeResponse {
  const message = create(AuthorizeResponseSchema, {
    decision: decision.allow ? DecisionVerdict.ALLOW : DecisionVerdict.DENY,
    reason: DecisionReason[decision.reason],
    revision: decision.revision,
  })
  if (decision.binding !== undefined && view !== ContextView.NONE) {
    message.context = contextOf(decision, decision.binding, view)
  }
  return message
}

/** Everything the subject may do at the place, bare and sorted. */
export function permissionsOf(decision: Decision): string[] {
  const { binding, narrowing, catalogue } = decision
  if (binding === undefined || catalogue === undefined) return []
  const bits = narrowing === undefined ? binding.bits : binding.bits.intersect(narrowing)
  return bits
    .indexes()
    .flatMap((index) => catalogue.nameAt(index) ?? [])
    .sort()
}

function contextOf(decision: Decision, binding: CompiledBinding, view: ContextView): TenantContext {
  const { tenant, workspace, principal } = binding
  const place = { tenant: tenant.tenantId === platformTenantId ? '' : tenant.slug, workspace: '' }
  return create(TenantContextSchema, {
    tenant: placeName(place),
    tenantUid: tenant.tenantId,
    workspace: workspace === undefined ? '' : placeName({ ...place, workspace: workspace.slug }),
    workspaceUid: workspace?.workspaceId ?? '',
    workspaceSlug: workspace?.slug ?? '',
    principal: principalNameIn(place, principal),
    permissions: view === ContextView.FULL ? permissionsOf(decision) : [],
    region: tenant.region,
    tier: tenant.tier,
    revision: decision.revision,
  })
}

function isBasic(view: ContextView): boolean {
  return view !== ContextView.NONE && view !== ContextView.FULL
}

function encode(decision: Decision, view: ContextView): Buffer {
  const bytes = toBinary(AuthorizeResponseSchema, answerMessage(decision, view))
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
