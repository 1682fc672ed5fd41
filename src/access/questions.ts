import { invalidField, TenureError } from '../base/errors.ts'
import type { TenantId } from '../base/ids.ts'
import { type Place, parseName, placeName } from '../base/resource-name.ts'
import { type ParsedApiKey, parseApiKey } from '../credentials/api-key.ts'
import type { AuthorizeRequest } from '../gen/tenure/v1/access_service_pb.ts'
import { actorOf, type Call, callerOf } from '../rpc/call.ts'
import type { AccessRecorder, Demand, Freshness, Gate } from '../rpc/ports.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import { type Decision, noAccess, type Question, unauthenticated } from './engine/decision.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Engines } from './engines.ts'
import { subjectFrom } from './subject.ts'
import { verifySecret } from './verify-secret.ts'

export interface SubjectParts {
  readonly engines: Engines
  readonly gate: Gate
  readonly freshness: Freshness
  readonly recorder: AccessRecorder
  readonly environment: string
}

/** A question ready to be decided, or decided already because nothing of the place may be looked at. */
export type Asked =
  | { readonly kind: 'question'; readonly snapshot: TenantSnapshot; readonly question: Question }
  | { readonly kind: 'decided'; readonly decision: Decision }

type Sooner<Value> = Value | Promise<Value>

const nobody: Asked = { kind: 'decided', decision: noAccess }
const badCredential: Asked = { kind: 'decided', decision: unauthenticated }

const demand: Demand = {
  permission: 'access.check',
  workspaceItself: false,
  write: false,
  unknownPlaceIsAnAnswer: true,
}

/** At the place the caller was admitted to. No context: a platform caller asked about a place that is not there. */
export function askAtPlace(
  parts: SubjectParts,
  request: AuthorizeRequest,
  context: TenantContext | undefined,
): Sooner<Asked> {
  if (context === undefined) return nobody
  const snapshot = parts.engines.of(context.tenantId)
  if (snapshot instanceof Promise) return snapshot.then((loaded) => askIn(parts, loaded, request, context))
  return askIn(parts, snapshot, request, context)
}

/** At the place the question names, or the credential's own: the caller is admitted there first, like a caller of Authorize. */
export async function askAnywhere(parts: SubjectParts, request: AuthorizeRequest, call: Call): Promise<Asked> {
  const place = request.parent === '' ? await placeOfKey(parts, request) : parseName(request.parent)
  if (place === undefined) return badCredential
  const context = await admitted(parts, place, call)
  if (request.atLeastRevision === '') return askAtPlace(parts, request, context)
  if (context === undefined)
    return askAtPlace(parts, request, await arrived(parts, request.atLeastRevision, place, call))
  await parts.freshness.atLeast(request.atLeastRevision, context)
  return askAtPlace(parts, request, context)
}

/**
 * What a platform caller finds nowhere may be so new that this server has not heard of it: with the revision of the change
 * that made it, it is there. Undefined: it is not, whatever the revision says.
 */
async function arrived(
  parts: SubjectParts,
  revision: string,
  place: Place,
  call: Call,
): Promise<TenantContext | undefined> {
  const snapshot = await parts.engines.bySlug(place.tenant)
  if (snapshot === undefined) return undefined
  await parts.freshness.atLeast(revision, snapshot.tenant)
  return admitted(parts, place, call)
}

/** The pipeline keeps the refusals of whole calls; what an item of a batch is refused must be kept here, or a batch is a thousand probes unseen. */
async function admitted(parts: SubjectParts, place: Place, call: Call): Promise<TenantContext | undefined> {
  try {
    return await parts.gate.admit(callerOf(call), place, demand, actorOf(call))
  } catch (error) {
    if (error instanceof TenureError && (error.reason === 'NOT_FOUND' || error.reason === 'PERMISSION_MISSING')) {
      parts.recorder.record({
        ...{ context: undefined, caller: callerOf(call), actor: actorOf(call), event: demand.permission },
        ...{ target: placeName(place), denied: true, reason: error.reason },
      })
    }
    throw error
  }
}

async function placeOfKey(parts: SubjectParts, { credential }: AuthorizeRequest): Promise<Place | undefined> {
  if (credential.case !== 'apiKey') {
    throw invalidField('parent', 'must name a tenant or a workspace, unless an api_key says where')
  }
  const key = parseApiKey(credential.value, parts.environment)
  if (key === undefined) return undefined
  const snapshot = await parts.engines.of(key.tenantId as TenantId)
  const fact = verifySecret(snapshot, key)
  if (snapshot === undefined || fact === undefined) return undefined
  return { tenant: snapshot.tenant.slug, workspace: snapshot.workspaceById(fact.workspaceId)?.slug ?? '' }
}

function askIn(
  parts: SubjectParts,
  snapshot: TenantSnapshot | undefined,
  request: AuthorizeRequest,
  context: TenantContext,
): Asked {
  const workspace = context.workspaceSlug
  // Deleted since the caller was admitted: then the credential is not looked at either, as at a place that never was.
  if (snapshot === undefined || !isThere(snapshot, workspace)) return nobody
  const { credential, permission } = request
  switch (credential.case) {
    case 'apiKey': {
      const key = parseApiKey(credential.value, parts.environment)
      if (key === undefined) return badCredential
      return askAboutKey(snapshot, key, { workspace, permission })
    }
    case 'principal': {
      const subject = subjectFrom(credential.value, context.tenantSlug)
      return subject === undefined
        ? nobody
        : { kind: 'question', snapshot, question: { subject, workspace, permission } }
    }
    default:
      throw new TenureError('INVALID_FIELD', 'credential: must be set')
  }
}

function isThere(snapshot: TenantSnapshot, workspace: string): boolean {
  if (workspace === '') return true
  const found = snapshot.workspaceBySlug(workspace)
  return found !== undefined && found.state !== 'DELETED'
}

function askAboutKey(snapshot: TenantSnapshot, key: ParsedApiKey, where: Omit<Question, 'subject'>): Asked {
  // Another tenant's key is a stranger here, and is not looked up.
  if (key.tenantId !== snapshot.tenant.tenantId) return nobody
  const fact = verifySecret(snapshot, key)
  if (fact === undefined) return badCredential
  return { kind: 'question', snapshot, question: { ...where, subject: { kind: 'api_key', apiKeyId: fact.apiKeyId } } }
}
