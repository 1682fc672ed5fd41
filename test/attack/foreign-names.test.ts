import type { DescMethod } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { everyMethod, methodName } from './caller.ts'
import { canPoint, kindOf } from './field-kinds.ts'
import { attacksOn, faultsOf, policyOf, tally } from './foreign-table.ts'
import { expectUntouched } from './foreign-untouched.ts'
import { type ForeignCaller, type ForeignWorld, openForeignWorld } from './foreign-world.ts'
import { fieldsOfRequest, type RequestField } from './request-fields.ts'
import { type Json, makeRequest, withField } from './request-maker.ts'
import type { WireAnswer } from './wires.ts'

let world: ForeignWorld

beforeAll(async () => {
  world = await openForeignWorld()
})

afterAll(() => world[Symbol.asyncDispose]())

const ask = (method: DescMethod, body: Json, caller: ForeignCaller) => world.ask('Connect JSON', method, body, caller)
/** Everybody but the platform. */
const strangers = () => world.callers.filter(({ power }) => power !== 'platform')

test('every field that takes a text says what it points at: a new one is to be added to field-kinds.ts', () => {
  const unsaid = everyMethod.flatMap((method) =>
    fieldsOfRequest(method.input)
      .filter((field) => canPoint(field) && kindOf(field) === undefined)
      .map(({ path }) => `${methodName(method)} ${path}: say in test/attack/field-kinds.ts what it points at`),
  )
  expect(unsaid).toEqual([])
})

test('the table attacks every method that names anything, in every way, for every credential', () => {
  const all = everyMethod.flatMap((method) => attacksOn(world, method))
  expect(all.length).toBeGreaterThan(1_500)
  const kinds = 'name pageToken revision etag requestId apiKey person email newId chain uid'.split(' ')
  for (const kind of kinds) expect(all.filter((attack) => attack.kind === kind).length, kind).toBeGreaterThan(2)
  const cases =
    'existing,unknown tenant,their child under us,nothing under us,our child under them,our workspace under them,beside,above,malformed'
  for (const each of cases.split(',')) {
    expect(all.filter(({ pair }) => pair.case.startsWith(each)).length, each).toBeGreaterThan(30)
  }
  for (const caller of world.callers) {
    const methods = new Set(all.filter((attack) => attack.caller === caller).map(({ method }) => method))
    expect(methods.size, caller.name).toBeGreaterThan(everyMethod.length - 6)
  }
})

const lists = everyMethod.filter(({ input }) => input.fields.some(({ name }) => name === 'filter'))

// First, while the caller's own audit events do not speak of the other tenant.
describe.each(lists.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('a filter by a name of another tenant finds what a filter by no name finds', async () => {
    for (const caller of strangers()) {
      const { place } = caller
      const base = makeRequest(method, { names: world.tenants.own, place })
      const fields = await filterFields(method, base, caller)
      if (place === world.acme.name && !isPlatformOnly(method)) expect(fields.length).toBeGreaterThan(0)
      for (const [shape, [existing = '']] of world.tenants.foreign) {
        const unknown = existing.replace(/[^/]+$/, 'never-was')
        for (const condition of fields.flatMap((field) => ['=', '!=', '>'].map((operator) => `${field} ${operator}`))) {
          const one = await ask(method, { ...base, filter: `${condition} "${existing}"` }, caller)
          const other = await ask(method, { ...base, filter: `${condition} "${unknown}"` }, caller)
          expect(told(one, existing), `${condition} ${shape}`).toBe(told(other, unknown))
        }
      }
    }
  })
})

/** A refused field tells which there are. */
async function filterFields(method: DescMethod, base: Json, caller: ForeignCaller): Promise<readonly string[]> {
  const { message } = await ask(method, { ...base, filter: 'nothing = "x"' }, caller)
  return /it takes ([\w, ]+)$/.exec(message)?.[1]?.split(', ') ?? []
}

/** A refusal may repeat what was sent. */
function told(answer: WireAnswer, sent: string): string {
  const { code, reason, message } = answer
  if (code === 'ok') return JSON.stringify(answer.body).replace(/"nextPageToken":"[^"]*"/, '')
  return JSON.stringify([code, reason, message.replaceAll(sent, 'SENT')])
}

/** Methods that act in a tenant; those that take things away come last. */
const acting = everyMethod
  .filter((method) => !isPlatformOnly(method) && policyOf(method).tenantFrom.kind === 'field')
  .toSorted((a, b) => Number(/^(?:Delete|Purge)/.test(a.name)) - Number(/^(?:Delete|Purge)/.test(b.name)))

// Else a server that refuses everything would pass.
describe.each(acting.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('what is its own, the owner of a tenant gets at', async () => {
    const { tenantFrom, limitClass } = policyOf(method)
    const field = fieldsOfRequest(method.input).find(
      ({ path }) => tenantFrom.kind === 'field' && path === tenantFrom.path,
    )
    const [owner] = world.callers
    // Of the platform alone, as permissions are.
    if (owner === undefined || field?.nameShapes.some((shape) => shape.startsWith('tenants/')) !== true) return
    const has = (name: string) => method.input.fields.some((each) => each.name === name)
    const request = makeRequest(method, { names: world.tenants.own, place: owner.place })
    const rehearsed = has('validate_only') ? { ...request, validateOnly: true } : request
    const { code, reason } = await ask(method, has('etag') ? { ...rehearsed, etag: 'stale' } : rehearsed, owner)
    // A change may find that it is made already, that it is of another state, or that words are missing.
    const admitted = ['ok', 'aborted', 'already_exists', 'failed_precondition', 'invalid_argument']
    expect(limitClass === 'WRITE' ? admitted : ['ok'], reason).toContain(code)
  })
})

describe.each(everyMethod.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('what is of another tenant, or of another workspace, is what never was', async () => {
    expect(await faultsOf(world, method, 'Connect JSON')).toEqual([])
  })

  test('names of the platform tell a tenant nothing', async () => {
    for (const field of fieldsOfRequest(method.input)) {
      for (const [existing, unknown] of platformPairs(field)) {
        for (const caller of strangers()) {
          const base = makeRequest(method, { names: world.tenants.own, place: caller.place })
          const one = await ask(method, withField(base, field, existing), caller)
          const other = await ask(method, withField(base, field, unknown), caller)
          expect(comparable(one), field.path).toBe(comparable(other))
          expect(JSON.stringify(one.body ?? '')).not.toContain('DECISION_ALLOW')
        }
      }
    }
  })
})

function platformPairs(field: RequestField): [string, string][] {
  const platform = world.platformNames
  const never = {
    'serviceAccounts/{}': 'serviceAccounts/never-was',
    'apiKeys/{}': 'apiKeys/00000000-0000-7000-8000-00000000dead',
  }
  return Object.entries(never)
    .filter(([shape]) => field.nameShapes.includes(shape))
    .map(([shape, unknown]) => [platform.get(shape)?.[0] ?? '', unknown])
}

/** All of a failure; of a success all but what two of the same request differ in. */
function comparable({ code, body, seen }: WireAnswer): string {
  if (code !== 'ok') return seen
  return JSON.stringify(body, (key, value: unknown) =>
    /^(?:name|uid|etag|.*Time|revision|secret|prefix|displayName)$/.test(key) ? undefined : value,
  )
}

test('after all of it the other tenant is as it was, unread and unknown', async () => {
  await expectUntouched(world, 4_000)
  // It was told of itself.
  expect(Buffer.concat([...world.heard.values()]).includes(world.acme.uid)).toBe(true)
  for (const code of ['not_found', 'permission_denied', 'ok', 'invalid_argument', 'aborted']) {
    expect(tally.get(code), code).toBeGreaterThan(10)
  }
})

/** Who belongs to a tenant is told nothing but that it is not for them. */
function isPlatformOnly(method: DescMethod): boolean {
  return [...policyOf(method).scopes].every((scope) => scope === 'PLATFORM')
}
