import type { DescMethod } from '@bufbuild/protobuf'
import { ownPermissions } from '../../src/access/own-permissions.ts'
import { compilePolicies, type MethodPolicy } from '../../src/rpc/method-policy.ts'
import { tenureServices } from '../../src/rpc/services.ts'
import { canPoint, type FieldKind, kindOf } from './field-kinds.ts'
import { type ForeignPair, foreignPairs, malformedPairs, siblingPairs } from './foreign-values.ts'
import { type ForeignCaller, type ForeignWorld, memberOfOneWorkspace } from './foreign-world.ts'
import { fieldsOfRequest, type RequestField } from './request-fields.ts'
import { type Json, makeRequest, withField } from './request-maker.ts'
import type { Wire, WireAnswer } from './wires.ts'

const policies = compilePolicies(tenureServices, new Set(ownPermissions.map(({ name }) => name)))

export function policyOf(method: DescMethod): MethodPolicy {
  const policy = policies.get(`${method.parent.typeName}/${method.name}`)
  if (policy === undefined) throw new Error(`${method.name} has no policy`)
  return policy
}

/** One field of one method, filled by one caller with what is another's, and with what never was. */
export interface Attack {
  readonly caller: ForeignCaller
  readonly method: DescMethod
  readonly field: RequestField
  readonly kind: FieldKind
  readonly pair: ForeignPair
}

/** How many questions were answered how, so that a table of nothing is seen. */
export const tally = new Map<string, number>()

/** Every way in which the method can be asked for something foreign. */
export function attacksOn(world: ForeignWorld, method: DescMethod): Attack[] {
  const { tenants, tokens, callers } = world
  return fieldsOfRequest(method.input).flatMap((field) => {
    const kind = canPoint(field) ? kindOf(field) : undefined
    if (kind === undefined) return []
    return callers.flatMap((caller) => {
      const pairs =
        kind !== 'name'
          ? tokens.pairs(method, field, kind)
          : [
              ...foreignPairs(field, tenants),
              ...malformedPairs(field, tenants),
              ...(caller.power === 'workspace' ? siblingPairs(field, tenants.own, caller.place) : []),
            ]
      return pairs.map((pair) => ({ caller, method, field, kind, pair })).filter(isForeign)
    })
  })
}

/** The whole platform is the root key's own; what it names wrongly is still not there. What stands above a workspace can be used in it, but not acted at. */
function isForeign({ caller, method, field, kind, pair }: Attack): boolean {
  // The platform made the other tenant's things: its request ids are its own.
  if (kind === 'requestId' && caller.power === 'platform') return false
  const policy = policyOf(method)
  const decides = policy.tenantFrom.kind === 'field' && policy.tenantFrom.path === field.path
  if (pair.case.startsWith('above')) return decides
  if (caller.power !== 'platform' || !pair.case.startsWith('existing')) return true
  return !decides && policy.tenantFrom.kind === 'field'
}

/** The first wire has all; on the others a request id would say nothing new, and one of two keys with the same power and one spelling that no rule takes are enough. */
function isFor(wire: Wire, { caller, kind, pair }: Attack): boolean {
  if (wire === 'Connect JSON') return true
  if (caller.name === memberOfOneWorkspace) return false
  return kind !== 'requestId' && (!pair.case.startsWith('malformed') || pair.case.endsWith('a NUL'))
}

/** What is wrong with the answers on this wire; empty: nothing. */
export async function faultsOf(world: ForeignWorld, method: DescMethod, wire: Wire): Promise<string[]> {
  const faults: string[] = []
  const attacks = attacksOn(world, method).filter((attack) => isFor(wire, attack))
  const before = await world.rows.state()
  let taken = 0
  for (const attack of attacks) {
    const { caller, field, pair } = attack
    const { fault, oks } = await faultOf(world, attack, wire)
    taken += oks
    if (fault !== '') faults.push(`${caller.name}, ${wire}, ${field.path} = ${pair.existing} (${pair.case}): ${fault}`)
  }
  const after = await world.rows.state()
  // One change is one audited event, so that more events than answers are changes nobody was told of.
  const isMore = after.events.some((count, journal) => count - (before.events[journal] ?? 0) > taken)
  const isHidden = isMore || (taken === 0 && after.fingerprint !== before.fingerprint)
  return isHidden ? [...faults, `${wire}: refused, and something is written`] : faults
}

async function faultOf(
  world: ForeignWorld,
  attack: Attack,
  wire: Wire,
): Promise<{ readonly fault: string; readonly oks: number }> {
  const { caller, method, field, pair } = attack
  const policy = policyOf(method)
  const isOutput = isWrittenByServer(attack)
  const ask = (value: string | undefined) => world.ask(wire, method, requestOf(world, attack, value), caller)
  const existing = await ask(pair.existing)
  const isMalformed = pair.case.startsWith('malformed')
  const other = await ask(isOutput && !isMalformed ? undefined : pair.unknown)
  const oks = [existing, other].filter(({ code }) => code === 'ok').length
  const found = (fault: string) => ({ fault, oks })
  tally.set(existing.code, (tally.get(existing.code) ?? 0) + 1)
  // What can be made once was made by the first of the two: it was nobody's answer to somebody else.
  if (attack.kind === 'requestId' && existing.code === 'ok' && other.reason === 'ALREADY_EXISTS') return found('')
  if (comparable(existing, pair.existing) !== comparable(other, pair.unknown)) {
    return found(`told apart: ${existing.seen} ${other.seen}`)
  }
  if (isOutput && !isMalformed)
    return found(JSON.stringify(existing.body ?? '').includes('globex') ? `repeats it: ${existing.seen}` : '')
  if (attack.kind !== 'name') return found('')
  if (isMalformed && (existing.code === 'invalid_argument' || existing.code === 'permission_denied')) return found('')
  const platformOnly = ![...policy.scopes].some((scope) => scope !== 'PLATFORM')
  if (existing.code === (platformOnly && caller.power !== 'platform' ? 'permission_denied' : 'not_found'))
    return found('')
  const decides = policy.tenantFrom.kind === 'field' && policy.tenantFrom.path === field.path
  if (existing.code === 'ok' && isAnswerWithoutIt(attack, decides, existing)) return found('')
  return found(`${existing.code} ${existing.reason} ${existing.message}`)
}

/** The name of what is to be made is the server's to say: sent or not, it changes nothing. */
function isWrittenByServer({ method, field }: Pick<Attack, 'method' | 'field'>): boolean {
  return /^(?:Batch)?Create/.test(method.name) && field.path.endsWith('.name')
}

/** A request that is right but for the one field; undefined: in that, too. */
export function requestOf(
  { tenants }: ForeignWorld,
  { caller, method, field, kind }: Attack,
  value: string | undefined,
): Json {
  const has = (name: string) => method.input.fields.some((each) => each.name === name)
  let request = makeRequest(method, { names: tenants.own, place: caller.place })
  const isOutput = /^(?:Batch)?Create/.test(method.name) && field.path.endsWith('.name')
  if (has('validate_only') && (isOutput || (kind !== 'name' && kind !== 'requestId')))
    request = { ...request, validateOnly: true }
  // What would take effect whatever the field says is kept from it.
  if (kind !== 'name' && policyOf(method).limitClass === 'WRITE' && has('etag')) request = { ...request, etag: 'stale' }
  if (value === undefined) return request
  const issuer = fieldsOfRequest(method.input).find(({ path }) => path === field.path.replace(/subject$/, 'issuer'))
  if (kind === 'person' && issuer !== undefined) request = withField(request, issuer, 'https://idp.example')
  return withField(request, field, value)
}

const ofItsOwn: ReadonlySet<string> = new Set(
  'name uid etag nextPageToken createTime updateTime revision secret prefix displayName token tokenId expireTime'.split(
    ' ',
  ),
)

/** All of a failure; of a success all but what two of the same request differ in: ids, times, versions. Never the name asked for. */
function comparable({ code, body, seen }: WireAnswer, sent: string): string {
  const text =
    code !== 'ok' ? seen : JSON.stringify(body, (key, value: unknown) => (ofItsOwn.has(key) ? undefined : value))
  return text.replaceAll(sent, 'SENT').replace(/fresh-?\d+/g, 'FRESH')
}

/** A question is answered with a denial; a field that cannot be changed is not read. */
function isAnswerWithoutIt({ method, field, pair }: Attack, decides: boolean, { body }: WireAnswer): boolean {
  const text = JSON.stringify(body)
  if (text.includes(pair.existing) || text.includes('globex')) return false
  const { limitClass } = policyOf(method)
  if (limitClass === 'CHECK') return !text.includes('DECISION_ALLOW') && /DENY|"error"/.test(text)
  return !decides && method.name.startsWith('Update') && field.desc.oneof !== undefined
}
