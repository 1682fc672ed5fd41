import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DescMethod, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ListUsersRequestSchema, UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { bearer, callJson, everyMethod, methodName } from './caller.ts'
import { type ChildRig, startChildRig } from './child-rig.ts'
import { brokenFields, brokenMessages, gzipBomb, noMessage } from './hostile-bytes.ts'
import { hostileBodies, hostileFields } from './hostile-json.ts'
import { namesOf, takeInventory } from './inventory.ts'
import { openRawGrpc, type RawGrpc } from './raw-grpc.ts'
import { fieldsOfRequest } from './request-fields.ts'
import { type Json, makeRequest } from './request-maker.ts'
import { openStoredRows, type StoredRows, type StoredState } from './stored-rows.ts'

let rig: ChildRig
let rows: StoredRows
let grpc: RawGrpc
let acme: TenantFixture
let inventory: readonly string[]
let residentBefore: number

beforeAll(async () => {
  rig = await startChildRig()
  await seedPermissions(rig.seeding)
  acme = await seedTenant(rig.seeding, 'acme')
  await seedTenant(rig.seeding, 'victim')
  inventory = await takeInventory(rig.child.httpUrl, rig.rootKey)
  rows = await openStoredRows(rig.databaseUrl)
  grpc = openRawGrpc(rig.child.grpcPort)
  await warmUp()
  residentBefore = rig.residentMegabytes()
}, 180_000)

afterAll(async () => {
  grpc[Symbol.dispose]()
  await rows[Symbol.asyncDispose]()
  await rig[Symbol.asyncDispose]()
})

/** The heap finds its size on the heaviest of what is to come; what it holds after that is growth. */
async function warmUp(): Promise<void> {
  const heavy = everyMethod.filter(({ name }) =>
    /^(?:BatchCreateMemberships|CreateRole|CreateTenant|GetRole|UpdateRole)$/.test(name),
  )
  for (const method of [...heavy, ...heavy]) {
    await faultsOf(jsonAttacks(method), method)
    await faultsOf(byteAttacks(method), method)
  }
}

// What cannot be taken back comes last, and is done to a tenant that nothing else needs.
const destroys = /^(?:Delete|Undelete|Suspend|Resume|Disable|Enable|Archive|Unarchive|Revoke)/
const lateness = ({ name }: DescMethod) => Number(destroys.test(name)) + Number(/^(?:Suspend|Delete)Tenant/.test(name))
const methods = everyMethod.toSorted((a, b) => lateness(a) - lateness(b))

function validRequest(method: DescMethod): Json {
  const place = destroys.test(method.name) ? 'tenants/victim' : acme.name
  const request = makeRequest(method, { names: namesOf(inventory, place), place })
  const hasEtag = method.input.fields.some(({ name }) => name === 'etag')
  return hasEtag ? { ...request, etag: 'stale' } : request
}

const bomb = gzipBomb()

interface Outcome {
  readonly code: string
  readonly reason: string
  readonly text: string
}

const clean: ReadonlySet<string> = new Set(
  'ok invalid_argument not_found already_exists permission_denied failed_precondition aborted resource_exhausted'.split(
    ' ',
  ),
)
const leak =
  /SQLITE|sqlite|\bER_[A-Z]|mysql|MySQL|InnoDB|QueryFailed|TypeORM|typeorm|sqlparser|node:|file:\/\/|\bat \S+ \(|\.[jt]s:\d|registry|TypeError|RangeError|SyntaxError|undefined/

interface Attack {
  readonly name: string
  readonly refused: boolean
  send(): Promise<Outcome>
}

/** A few at a time: each alone would wait for its turn on the wire most of the time. */
const together = 12

/** What was not refused, or taken, as it must be; and what was written for the refused. */
async function faultsOf(attacks: readonly Attack[], method?: DescMethod): Promise<string[]> {
  // Long work that was asked for rightly has changes of its own.
  const startsWork = method?.output.fields.some(({ message }) => message?.typeName === 'google.longrunning.Operation')
  const faults: string[] = []
  for (let at = 0; at < attacks.length; at += together) {
    const part = attacks.slice(at, at + together)
    const before = await stateNow()
    const outcomes = await Promise.all(part.map(({ send }) => send()))
    const after = await stateNow()
    faults.push(...outcomes.flatMap((outcome, index) => faultsIn(part[index], outcome)))
    const taken = outcomes.filter(({ code }) => code === 'ok').length
    // One change is one audited event, so that more events than answers are changes nobody was told of.
    const tooMany = after.events.some((count, journal) => count - (before.events[journal] ?? 0) > taken)
    const hidden = (tooMany && !(startsWork && taken > 0)) || (taken === 0 && after.fingerprint !== before.fingerprint)
    if (hidden) faults.push(`refused but written, one of: ${part.map(({ name }) => name).join('; ')}`)
  }
  return faults
}

let known: StoredState & { readonly mark: string } = { mark: '', events: [], fingerprint: '' }

/** What was asked for may be long work: it writes until it has ended. */
async function untilWorkHasEnded(): Promise<void> {
  for (const table of ['operations', 'platform_operations']) {
    while (Number((await rows.rows(`SELECT count(*) AS n FROM ${table} WHERE state = 'OPEN'`))[0]?.n) > 0)
      await sleep(50)
  }
}

/** Read anew only where somebody has committed since. */
async function stateNow(): Promise<StoredState> {
  await untilWorkHasEnded()
  const mark = await rows.commitMark()
  if (mark !== known.mark) known = { mark, ...(await rows.state()) }
  return known
}

function faultsIn(attack: Attack | undefined, { code, reason, text }: Outcome): string[] {
  const faults: string[] = []
  if (attack?.refused === true && code === 'ok') faults.push('taken')
  if (!clean.has(code)) faults.push('not a clean code')
  if (code !== 'ok' && reason === '') faults.push('no reason')
  if (leak.test(text)) faults.push('tells of the inside')
  return faults.length === 0 ? [] : [`${attack?.name}: ${faults.join(', ')}: ${code} ${reason} ${text.slice(0, 300)}`]
}

function jsonAttacks(method: DescMethod): Attack[] {
  const request = validRequest(method)
  const fields = fieldsOfRequest(method.input)
  const attacks = [...hostileBodies(request), ...fields.flatMap((field) => hostileFields(request, field))]
  return attacks.map(({ name, body, refused }) => ({ name, refused, send: () => overJson(method, body) }))
}

function byteAttacks(method: DescMethod): Attack[] {
  const encoded = toBinary(method.input, fromJson(method.input, validRequest(method) as JsonValue))
  const fields = fieldsOfRequest(method.input)
  const attacks = [...brokenMessages(encoded), ...fields.flatMap((field) => brokenFields(encoded, field))]
  return attacks.map(({ name, bytes }) => ({ name, refused: noMessage.has(name), send: () => overGrpc(method, bytes) }))
}

async function overJson(method: DescMethod, body: string | Uint8Array<ArrayBuffer>, headers = {}): Promise<Outcome> {
  const {
    code,
    reason,
    body: text,
  } = await callJson(rig.child.httpUrl, method, body, { ...bearer(rig.rootKey), ...headers })
  return { code, reason, text: code === 'ok' ? '' : text }
}

async function overGrpc(method: DescMethod, bytes: Uint8Array, headers = {}): Promise<Outcome> {
  const { code, reason, errorMessage, details } = await grpc.call(method, bytes, { ...bearer(rig.rootKey), ...headers })
  return { code: code.toLowerCase(), reason, text: errorMessage + JSON.stringify(details) }
}

const lists = everyMethod.filter(({ input }) => input.fields.some(({ name }) => name === 'page_token'))

describe.each(lists.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('a page token that was not made for this question', async () => {
    const users = await callJson(
      rig.child.httpUrl,
      UserService.method.listUsers,
      pageOf(acme.name),
      bearer(rig.rootKey),
    )
    const token = (JSON.parse(users.body) as { nextPageToken: string }).nextPageToken
    expect(token).not.toBe('')
    const flipped = Buffer.from(token, 'base64url')
    flipped.writeUInt8(flipped.readUInt8(20) ^ 1, 20)
    const tokens = [
      'x',
      '=',
      token.slice(0, -2),
      `${token}AA`,
      flipped.toString('base64url'),
      randomBytes(90).toString('base64url'),
      "' OR 1=1 --",
    ]
    if (method !== UserService.method.listUsers) tokens.push(token)
    for (const pageToken of tokens) {
      const { etag: _etag, ...request } = validRequest(method)
      const { code, reason } = await overJson(method, JSON.stringify({ ...request, pageToken }))
      expect([code, reason], pageToken).toEqual(['invalid_argument', 'INVALID_PAGE_TOKEN'])
    }
  })
})

function pageOf(parent: string, more: Json = {}): string {
  return JSON.stringify({ parent, pageSize: 1, ...more })
}

test('a page token of another caller, another tenant, another filter or order is refused', async () => {
  const list = (key: string, body: string) =>
    callJson(rig.child.httpUrl, UserService.method.listUsers, body, bearer(key))
  const { nextPageToken } = JSON.parse((await list(acme.ownerKey, pageOf(acme.name))).body) as { nextPageToken: string }
  expect((await list(acme.ownerKey, pageOf(acme.name, { pageToken: nextPageToken }))).code).toBe('ok')
  const strangers: [string, string][] = [
    [acme.adminKey, pageOf(acme.name, { pageToken: nextPageToken })],
    [rig.rootKey, pageOf(acme.name, { pageToken: nextPageToken })],
    [rig.rootKey, pageOf('tenants/victim', { pageToken: nextPageToken })],
    [acme.ownerKey, pageOf(acme.name, { pageToken: nextPageToken, filter: 'state = "ACTIVE"' })],
    [acme.ownerKey, pageOf(acme.name, { pageToken: nextPageToken, orderBy: 'create_time' })],
  ]
  for (const [key, body] of strangers) {
    expect(await list(key, body), body).toMatchObject({ code: 'invalid_argument', reason: 'INVALID_PAGE_TOKEN' })
  }
})

describe.each(methods.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('JSON that is not its message', async () => {
    expect(await faultsOf(jsonAttacks(method), method)).toEqual([])
  })

  test('bytes that are not its message', async () => {
    expect(await faultsOf(byteAttacks(method), method)).toEqual([])
  })

  test('a gzip bomb', async () => {
    const send = () => overJson(method, bomb, { 'content-encoding': 'gzip' })
    expect(await faultsOf([{ name: 'bomb', refused: true, send }])).toEqual([])
  })
})

test('after all of it the process lives, answers, has not grown, and what it stored can be read', async () => {
  expect(rig.child.process.exitCode).toBeNull()
  const health = await fetch(`${rig.child.httpUrl}/healthz`)
  expect(health.status).toBe(200)
  for (const method of lists) {
    const request = {
      ...makeRequest(method, { names: namesOf(inventory, acme.name), place: acme.name }),
      pageSize: 1000,
    }
    const parents = method.input.fields.some(({ name }) => name === 'parent')
      ? [acme.name, `${acme.name}/workspaces/prod`, '']
      : [undefined]
    for (const parent of parents) {
      const answer = await overJson(method, JSON.stringify(parent === undefined ? request : { ...request, parent }))
      if (answer.reason === 'INVALID_FIELD') continue
      expect(answer, `${method.name} ${parent}`).toMatchObject({ code: 'ok' })
    }
  }
  const user = toBinary(ListUsersRequestSchema, fromJson(ListUsersRequestSchema, { parent: acme.name }))
  expect((await overGrpc(UserService.method.listUsers, user)).code).toBe('ok')
  expect(rig.residentMegabytes() - residentBefore).toBeLessThan(50)
})
