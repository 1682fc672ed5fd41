import { randomBytes } from 'node:crypto'
import { type DescMethod, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ListUsersRequestSchema, UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { bearer, callJson, everyMethod, methodName } from './caller.ts'
import { type ChildRig, startChildRig } from './child-rig.ts'
import { brokenFields, brokenMessages, gzipBomb } from './hostile-bytes.ts'
import { hostileBodies, hostileFields } from './hostile-json.ts'
import { namesOf, takeInventory } from './inventory.ts'
import { openRawGrpc, type RawGrpc } from './raw-grpc.ts'
import { fieldsOfRequest } from './request-fields.ts'
import { type Json, makeRequest } from './request-maker.ts'
import { openStoredRows, type StoredRows } from './stored-rows.ts'

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
  rows = openStoredRows(rig.databaseFile)
  grpc = openRawGrpc(rig.child.grpcPort)
  await warmUp()
  residentBefore = rig.residentMegabytes()
})

afterAll(async () => {
  grpc[Symbol.dispose]()
  rows[Symbol.dispose]()
  await rig[Symbol.asyncDispose]()
})

/** The heap finds its size on the largest request there is; what comes after is growth. */
async function warmUp(): Promise<void> {
  const body = JSON.stringify({ name: 'x'.repeat(1_000_000) })
  for (let at = 0; at < 60; at += 1)
    await callJson(rig.child.httpUrl, UserService.method.getUser, body, bearer(rig.rootKey))
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
  /SQLITE|sqlite|QueryFailed|TypeORM|typeorm|sqlparser|node:|file:\/\/|\bat \S+ \(|\.[jt]s:\d|registry|TypeError|RangeError|SyntaxError|undefined/

/** Empty: refused, or taken, as it must be; and what was refused wrote nothing. */
async function faultOf(send: () => Promise<Outcome>): Promise<string> {
  const mark = rows.commitMark()
  const hash = known.mark === mark ? known.hash : rows.hash()
  const outcome = await send()
  const faults: string[] = []
  if (!clean.has(outcome.code)) faults.push('not a clean code')
  if (outcome.code !== 'ok' && outcome.reason === '') faults.push('no reason')
  if (leak.test(outcome.text)) faults.push('tells of the inside')
  known = { mark: rows.commitMark(), hash }
  if (known.mark !== mark) {
    known.hash = rows.hash()
    if (outcome.code !== 'ok' && known.hash !== hash) faults.push('refused but written')
  }
  return faults.length === 0
    ? ''
    : `${faults.join(', ')}: ${outcome.code} ${outcome.reason} ${outcome.text.slice(0, 300)}`
}

let known = { mark: -1, hash: '' }

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
    const faults: string[] = []
    const fields = fieldsOfRequest(method.input)
    const request = () => validRequest(method)
    const attacks = [...hostileBodies(request()), ...fields.flatMap((field) => hostileFields(request(), field))]
    for (const { name, body } of attacks) {
      const fault = await faultOf(() => overJson(method, body))
      if (fault !== '') faults.push(`${name}: ${fault}`)
    }
    expect(faults).toEqual([])
  })

  test('bytes that are not its message', async () => {
    const faults: string[] = []
    const encoded = () => toBinary(method.input, fromJson(method.input, validRequest(method) as JsonValue))
    const fields = fieldsOfRequest(method.input)
    const attacks = [...brokenMessages(encoded()), ...fields.flatMap((field) => brokenFields(encoded(), field))]
    for (const { name, bytes } of attacks) {
      const fault = await faultOf(() => overGrpc(method, bytes))
      if (fault !== '') faults.push(`${name}: ${fault}`)
    }
    expect(faults).toEqual([])
  })

  test('a gzip bomb', async () => {
    const bomb = gzipBomb()
    const fault = await faultOf(() => overJson(method, bomb, { 'content-encoding': 'gzip' }))
    expect(fault).toBe('')
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
