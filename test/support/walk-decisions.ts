import type { Message } from '@bufbuild/protobuf'
import {
  AccessService,
  type AuthorizeRequest,
  type AuthorizeResponse,
  type BatchAuthorizeResponse,
  ContextView,
  DecisionReason,
  type GetCallerResponse,
} from '../../src/gen/tenure/v1/access_service_pb.ts'
import { type IssueTokenResponse, TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import type { TenantTokenClaims } from '../../src/jwt/tenant-token-claims.ts'
import type { Chance } from './crash-chance.ts'
import { callOf } from './walk-client.ts'
import { wordOf } from './walk-kinds.ts'
import { isThere, placeIn, type WalkKey, type WalkTenant } from './walk-model.ts'
import type { WalkCaller, WalkPart, WalkQuestion } from './walk-question.ts'
import { admissionOf, fromNow, mayNameOf, targetOf } from './walk-reads.ts'
import { isLive, powerOf, productPermissions, subjectOfKey, verdictOn, type WalkSubject } from './walk-rules.ts'
import type { WalkWorld } from './walk-world.ts'

type Credential = AuthorizeRequest['credential']

interface Asked {
  readonly credential: Credential
  /** By the state of the place; a word: no look at the place is needed. */
  subject(tenant: WalkTenant): WalkSubject | string
}

const stranger: WalkSubject = { person: undefined, key: undefined }

/** About a person or a key of the place, of another tenant, or of nobody. */
function subjectFor(world: WalkWorld, chance: Chance, target: WalkTenant): Asked {
  const lender = chance.isTrue(0.85) ? target : world.tenant(chance.below(world.histories.length))
  const isTargets = lender.number === target.number
  if (chance.isTrue(0.35)) return subjectByKey(chance.pick([...lender.keys.values()]), isTargets)
  const id = chance.isTrue(0.97) ? chance.pick([...lender.people.keys()]) : 'users/nobody'
  const kind = principalKind(chance, lender, id)
  // Issuers and subjects are the same in every tenant: the place alone says whose person is meant.
  const isNamed = kind.case !== 'identity'
  return {
    credential: { case: 'principal', value: { kind } } as Credential,
    subject: (tenant) => (isNamed && !isTargets ? stranger : { person: tenant.people.get(id), key: undefined }),
  }
}

function principalKind(chance: Chance, lender: WalkTenant, id: string) {
  const name = `${lender.name}/${id}`
  if (id.startsWith('serviceAccounts/')) return { case: 'serviceAccount', value: name }
  const identity = { issuer: 'https://idp.example', subject: id }
  return chance.isTrue(0.3) ? { case: 'identity', value: identity } : { case: 'user', value: name }
}

function subjectByKey({ name, secret }: WalkKey, isTargets: boolean): Asked {
  return {
    credential: { case: 'apiKey', value: secret },
    subject(tenant) {
      if (!isTargets) return 'NO_ACCESS'
      const key = tenant.keys.get(name)
      return key === undefined ? 'UNAUTHENTICATED' : subjectOfKey(tenant, key)
    },
  }
}

interface OneQuestion {
  readonly request: Parameters<typeof callOf<typeof AccessService.method.authorize>>[1]
  readonly part: WalkPart
}

function questionAt(
  world: WalkWorld,
  chance: Chance,
  caller: WalkCaller,
): OneQuestion & { readonly target: WalkTenant } {
  const target = targetOf(world, chance, caller)
  const workspace = chance.isTrue(0.2)
    ? ''
    : chance.isTrue(0.97)
      ? chance.pick([...target.workspaces.keys()])
      : 'nowhere'
  const permission = chance.isTrue(0.1) ? '' : chance.pick(world.permissions)
  const isFull = chance.isTrue(0.2)
  const { credential, subject } = subjectFor(world, chance, target)
  const { atLeastRevision, from } = fromNow(world, chance, target, caller)
  const demand = { tenant: target.name, workspace, permission: 'access.check', writes: false }
  // A place that is not there is an answer for the platform.
  const admission =
    caller.tenant === undefined ? { judge: target.number, admission: () => '' } : admissionOf(caller, target, demand)
  return {
    target,
    request: {
      ...{ parent: placeIn(target, workspace), credential, permission, atLeastRevision },
      contextView: isFull ? ContextView.FULL : ContextView.BASIC,
    },
    part: {
      ...{ ...admission, about: target.number, from, isFromMemory: true },
      content(tenant) {
        const found = subject(tenant)
        if (workspace !== '' && !isThere(tenant, workspace)) return 'NO_ACCESS'
        if (typeof found === 'string') return found
        const verdict = verdictOn(tenant, found, workspace, permission)
        return verdict === 'GRANTED' ? granted(tenant, found, workspace, isFull) : verdict
      },
    },
  }
}

/** What an allowed answer tells of the place. */
function granted(tenant: WalkTenant, { person, key }: WalkSubject, workspace: string, isFull: boolean): string {
  const power = [...(powerOf(tenant, person?.id ?? '', workspace) ?? [])]
  const isNarrowed = key !== undefined && key.permissions.length > 0
  const held = power.filter((each) => !isNarrowed || key.permissions.includes(each))
  const shown = isFull ? held.filter((each) => productPermissions.includes(each)).sort() : []
  const place = tenant.workspaces.get(workspace)
  return ['GRANTED', tenant.name, tenant.uid, place?.uid ?? '', `${tenant.name}/${person?.id}`, ...shown].join(' ')
}

function wordsOf({ reason, context, revision }: AuthorizeResponse): string {
  const name = wordOf(DecisionReason, reason)
  if (name !== 'GRANTED') {
    // Whoever is nobody there is told of no place and no revision.
    return name === 'NO_ACCESS' && (context !== undefined || revision !== '') ? `${name} and its place` : name
  }
  const shown = [...(context?.permissions ?? [])].filter((each) => productPermissions.includes(each)).sort()
  return [name, context?.tenant, context?.tenantUid, context?.workspaceUid, context?.principal, ...shown].join(' ')
}

export function authorize(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const { request, part, target } = questionAt(world, chance, caller)
  return {
    ...{ caller, parts: [part], mayName: mayNameOf(caller, target) },
    call: callOf(AccessService.method.authorize, request),
    read: (answer) => [wordsOf(answer as AuthorizeResponse)],
  }
}

/** Items of all tenants side by side: nothing of one may answer for another. */
export function batchAuthorize(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const questions = Array.from({ length: 2 + chance.below(14) }, () => questionAt(world, chance, caller))
  const items = questions.map(({ request }, at) => ({ correlationId: String(at), request }))
  const named = caller.tenant === undefined ? questions.map(({ target }) => target.number) : [caller.tenant]
  return {
    ...{ caller, parts: questions.map(({ part }) => part), mayName: new Set(named) },
    call: callOf(AccessService.method.batchAuthorize, { items } as never),
    read: (answer) =>
      (answer as BatchAuthorizeResponse).items.map(({ correlationId, result }, at) => {
        if (correlationId !== String(at)) return 'in another order'
        if (result.case === 'response') return wordsOf(result.value)
        return `!${/ErrorInfo/.test(result.value?.details[0]?.typeUrl ?? '') ? reasonIn(result.value?.details[0]) : 'none'}`
      }),
  }
}

/** Field 1 of ErrorInfo. */
function reasonIn(detail: { readonly value: Uint8Array } | undefined): string {
  const bytes = Buffer.from(detail?.value ?? [])
  return bytes.subarray(2, 2 + (bytes[1] ?? 0)).toString()
}

/** A caller that is asked who it is. */
export function getCaller(world: WalkWorld, _chance: Chance, caller: WalkCaller): WalkQuestion {
  const tenant = caller.tenant ?? 0
  const key = (state: WalkTenant) => state.keys.get(caller.keyName)
  const part: WalkPart = {
    ...{ judge: tenant, about: tenant, from: 0, isFromMemory: true },
    admission(state) {
      const own = key(state)
      return caller.tenant === undefined || (own !== undefined && isLive(state, own)) ? '' : 'CREDENTIAL_INVALID'
    },
    content(state) {
      const own = key(state)
      return own === undefined ? 'the platform' : callerWords(state, own)
    },
  }
  return {
    ...{ caller, parts: [part], mayName: new Set(caller.tenant === undefined ? [] : [tenant]) },
    call: callOf(AccessService.method.getCaller, {}),
    read: (answer) => {
      const { principal, tenant: name, workspaces, permissions } = answer as GetCallerResponse
      if (name === '') return ['the platform']
      const shown = permissions.filter((each) => world.permissions.includes(each)).sort()
      return [[principal, name, ...workspaces, ...shown].join(' ')]
    },
  }
}

function callerWords(tenant: WalkTenant, key: WalkKey): string {
  const subject = subjectOfKey(tenant, key)
  const places = [...tenant.workspaces.keys()].filter((slug) => verdictOn(tenant, subject, slug, '') === 'GRANTED')
  const power = [...(powerOf(tenant, key.person, key.workspace) ?? [])]
  const held = power.filter((each) => key.permissions.length === 0 || key.permissions.includes(each))
  const names = places.map((slug) => placeIn(tenant, slug)).sort()
  return [`${tenant.name}/${key.person}`, tenant.name, ...names, ...held.filter(isAskedAbout).sort()].join(' ')
}

const askedAbout: ReadonlySet<string> = new Set([
  ...productPermissions,
  ...['access.check', 'tokens.issue', 'users.get', 'users.delete', 'secrets.access', 'roles.list'],
])

function isAskedAbout(permission: string): boolean {
  return askedAbout.has(permission)
}

export const walkPermissions: readonly string[] = [...askedAbout]

/** A token of its own power, verified as a data plane does, offline. */
export function issueToken(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const target = targetOf(world, chance, caller)
  const workspace = chance.isTrue(0.5) ? '' : chance.pick([...target.workspaces.keys()])
  const demand = { tenant: target.name, workspace, permission: 'tokens.issue', writes: true }
  const part: WalkPart = {
    ...{ ...admissionOf(caller, target, demand), about: target.number, from: 0, isFromMemory: true },
    content(tenant) {
      const key = tenant.keys.get(caller.keyName)
      return key === undefined ? '!CREDENTIAL_INVALID' : claimWords(tenant, key, workspace)
    },
  }
  return {
    ...{ caller, parts: [part], mayName: mayNameOf(caller, target) },
    call: callOf(TokenService.method.issueToken, { parent: placeIn(target, workspace) }),
    async read(answer: Message) {
      const { claims } = await world.verifier.verify((answer as IssueTokenResponse).token)
      return [wordsOfClaims(claims)]
    },
  }
}

function claimWords(tenant: WalkTenant, key: WalkKey, workspace: string): string {
  const subject = subjectOfKey(tenant, key)
  const at = (place: string) =>
    productPermissions.filter((each) => verdictOn(tenant, subject, place, each) === 'GRANTED').sort()
  const slugs = workspace === '' ? [...tenant.workspaces.keys()] : [workspace]
  const places = slugs.filter((slug) => verdictOn(tenant, subject, slug, '') === 'GRANTED').sort()
  const words = places.map((slug) => `${slug} ${tenant.workspaces.get(slug)?.uid} ${at(slug).join(',')}`)
  const above = workspace === '' ? at('').join(',') : ''
  return [`${tenant.name}/${key.person}`, tenant.uid, tenant.name, above, ...words].join(' | ')
}

function wordsOfClaims({ sub, tid, tenant, permissions, workspaces }: TenantTokenClaims): string {
  const words = workspaces.map(({ slug, id, permissions: held }) => `${slug} ${id} ${[...held].sort().join(',')}`)
  return [sub, tid, `tenants/${tenant}`, [...permissions].sort().join(','), ...words.sort()].join(' | ')
}
