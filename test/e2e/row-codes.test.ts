import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { type LogFields, silentLog } from '../../src/observe/log.ts'
import { tenureServices } from '../../src/rpc/services.ts'
import { bearer, callJson, methodName } from '../attack/caller.ts'
import { childEnvironment, refusedStart, runTenure } from '../support/child-server.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { codedTables, forgetCodes, takeCodesAway } from '../support/forget-codes.ts'
import { forgetAnchor } from '../support/keyring-anchor.ts'
import { reasonOf } from '../support/reason.ts'
import { codesOf } from '../support/row-code-checks.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bodyOf, wholeStory } from '../support/whole-story.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-codes-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function start(log = silentLog): Promise<TestServer> {
  return startTestServer({ folder, log })
}

const reads = (server: TestServer, { name, ownerKey }: TenantFixture) =>
  reasonOf(server.client(TenantService, ownerKey).getTenant({ name }))

async function begins({ client }: TestServer, event = 'rowCodes.begin') {
  const { auditEvents } = await client(AuditService).listAuditEvents({ filter: `event = "${event}"` })
  return auditEvents
}

test('an empty installation begins with codes, and says nothing about it', async () => {
  const warnings: string[] = []
  await using server = await start({ ...silentLog, warn: (_fields, text) => void warnings.push(text) })
  expect(await begins(server)).toEqual([])
  expect(warnings).toEqual([])
  expect(await codesOf(server)).toMatchObject({ forged: [] })
})

test('rows from before there were codes get theirs at the first start, once, and everybody is told', async () => {
  const before = await start()
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  const { count } = await codesOf(before)
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await forgetCodes(before, rows)
  const warnings: LogFields[] = []
  const upgraded = await start({ ...silentLog, warn: (fields) => void warnings.push(fields) })
  expect(await codesOf(upgraded)).toEqual({ count, forged: [] })
  expect(await reads(upgraded, acme)).toBe('OK')
  expect(warnings.map(({ family }) => family)).toEqual(['grants', 'places'])
  expect(warnings.reduce((sum, each) => sum + Number(each.count), 0)).toBe(count)
  const begun = await begins(upgraded)
  expect(begun).toMatchObject([{ principal: 'tenure' }, { principal: 'tenure' }])
  expect(begun.map(({ details }) => details?.family).sort()).toEqual(['grants', 'places'])
  await upgraded.stop()
  await rows.run('UPDATE memberships SET row_code = NULL')
  await using again = await start()
  expect(await begins(again)).toHaveLength(2)
  expect((await codesOf(again)).forged.length).toBeGreaterThan(0)
  expect(await reads(again, acme)).toBe('NOT_FOUND')
})

test('a first start that was interrupted between codes and key leaves nobody without power', async () => {
  const before = await start()
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await forgetCodes(before, rows)
  // The codes of a key that was never kept.
  for (const table of ['users', 'memberships'])
    await rows.run(`UPDATE ${table} SET row_code = ?`, [Buffer.alloc(32, 3)])
  await using after = await start()
  expect((await codesOf(after)).forged).toEqual([])
  expect(await reads(after, acme)).toBe('OK')
})

test('who takes the key of the codes out of the database, and every code with it, makes no start believe in what stands there', async () => {
  const before = await start()
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await rows.run(`UPDATE memberships SET roles = '["roles/owner"]' WHERE slug = 'viewer-bot'`)
  await takeCodesAway(rows)
  const env = childEnvironment(folder)
  for (const command of ['serve', 'bootstrap', 'restored']) {
    expect(await refusedStart(env, [command])).toMatch(
      /^tenure: The key that rows are coded with is gone .* run tenure recode\.$/,
    )
  }
  // Somebody has looked, put the row right, and says so.
  await rows.run(`UPDATE memberships SET roles = '["roles/viewer"]' WHERE slug = 'viewer-bot'`)
  const told = await runTenure(['recode'], env)
  expect(told).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringMatching(/^\d+ rows that grant power have new/),
  })
  expect((await runTenure(['recode'], env)).stdout).toBe('The key of the codes is there. Nothing was changed.\n')
  await using after = await start()
  expect(await reads(after, acme)).toBe('OK')
  expect((await codesOf(after)).forged).toEqual([])
  expect(await begins(after)).toEqual([])
  expect(await begins(after, 'rowCodes.renew')).toHaveLength(2)
}, 120_000)

test('a start that ended between key and anchor is made up for by the next', async () => {
  const before = await start()
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  await before.stop()
  await forgetAnchor(before.config)
  const next = await start()
  expect(await reads(next, acme)).toBe('OK')
  await next.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await takeCodesAway(rows)
  expect(await refusedStart(childEnvironment(folder))).toMatch(/^tenure: The key that rows are coded with is gone/)
})

test('an empty database beside the keyring of an old one begins like any other', async () => {
  const before = await start()
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  for (const table of [...codedTables, 'sealed_keys', 'signing_keys']) await rows.run(`DELETE FROM ${table}`)
  rmSync(before.config.rootKeyFile)
  await using after = await start()
  expect(await begins(after)).toEqual([])
  expect((await codesOf(after)).forged).toEqual([])
})

test('no honest change makes a forged row good: it is refused, and the row can be taken away', async () => {
  await using server = await start()
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  await using rows = await openSideDoor(server.databaseUrl)
  const name = `${acme.name}/memberships/viewer-bot`
  const role = `${acme.name}/roles/order-reader`
  await rows.run(`UPDATE memberships SET roles = '["roles/owner"]' WHERE slug = 'viewer-bot'`)
  await rows.run(`UPDATE roles SET permissions = '["orders.read","orders.write"]'`)
  const memberships = server.client(MembershipService)
  const update = memberships.updateMembership({
    membership: { name, expireTime: { seconds: BigInt(Math.floor(Date.now() / 1000) + 3_600) } },
  })
  expect(await reasonOf(update)).toBe('INTERNAL')
  const widen = server.client(RoleService).updateRole({ role: { name: role, permissions: ['orders.read'] } })
  expect(await reasonOf(widen)).toBe('INTERNAL')
  const { forged } = await codesOf(server)
  expect(forged.map(({ table }) => table).sort()).toEqual(['memberships', 'roles'])
  // What touches nothing of it is harmless, and must not make it good either.
  expect(await reasonOf(server.client(RoleService).updateRole({ role: { name: role, displayName: 'R' } }))).toBe('OK')
  expect((await codesOf(server)).forged).toHaveLength(2)
  const member = { case: 'user', value: acme.bob } as const
  const give = memberships.createMembership({ parent: acme.name, membership: { member, roles: [role] } })
  expect(await reasonOf(give)).toBe('NOT_FOUND')
  expect(await reasonOf(memberships.deleteMembership({ name }))).toBe('OK')
  expect(await reasonOf(server.client(RoleService).deleteRole({ name: role, force: true }))).toBe('OK')
  expect((await codesOf(server)).forged).toEqual([])
})

test('an owner who was made by hand does not stand in for the last one', async () => {
  await using server = await start()
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  await using rows = await openSideDoor(server.databaseUrl)
  await rows.run(`UPDATE memberships SET roles = '["roles/owner"]' WHERE slug = 'viewer-bot'`)
  const unseat = server.client(MembershipService).deleteMembership({ name: `${acme.name}/memberships/owner-bot` })
  expect(await reasonOf(unseat)).toBe('LAST_OWNER')
})

test('a forged row that the journal of another server names is met by the feed, and left out', async () => {
  await using server = await start()
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  await using rows = await openSideDoor(server.databaseUrl)
  expect(await reads(server, acme)).toBe('OK')
  const [row] = await rows.all("SELECT membership_id FROM memberships WHERE slug = 'viewer-bot'")
  const id = String(row?.membership_id)
  await rows.run(`UPDATE memberships SET roles = '["roles/owner"]' WHERE membership_id = ?`, [id])
  const [head] = await rows.all('SELECT revision FROM tenant_heads WHERE tenant_id = ?', [acme.uid])
  await rows.run('UPDATE tenant_heads SET revision = revision + 1 WHERE tenant_id = ?', [acme.uid])
  await rows.run(
    `INSERT INTO journal (tenant_id, chain, sequence, event_id, workspace_id, event_time, principal, event, target, record, hash, revision, changes)
    VALUES (?, 'authority', 100000, 'x', '', '2026-01-01', '', '', '', ?, ?, ?, ?)`,
    [acme.uid, Buffer.of(), Buffer.of(), Number(head?.revision) + 1, JSON.stringify([['memberships', '', id]])],
  )
  await server.server.platform.feeds.followCell()
  const create = server
    .client(UserService, acme.viewerKey)
    .createUser({ parent: acme.name, user: { issuer: 'https://idp.example', subject: 'by-viewer' } })
  expect(await reasonOf(create)).toBe('NOT_FOUND')
  expect(await reads(server, acme)).toBe('OK')
})

test('a root account that was changed by hand does not keep out who owns the machine', async () => {
  const before = await start()
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await rows.run("UPDATE platform_service_accounts SET state = 'DISABLED' WHERE slug = 'root'")
  rmSync(before.config.rootKeyFile)
  await using after = await start()
  expect(await reasonOf(after.client(TenantService).listTenants({}))).toBe('OK')
  expect((await codesOf(after)).forged).toEqual([])
})

test('whatever the product writes carries its code, after every step of a story that calls every method', async () => {
  await using server = await start()
  const methods = new Map(tenureServices.flatMap((service) => service.methods.map((each) => [methodName(each), each])))
  const answers = new Map<string, unknown>()
  for (const step of wholeStory) {
    const method = methods.get(step.call)
    if (method === undefined) throw new Error(`there is no method ${step.call}`)
    const body = bodyOf(step, answers.get(step.from ?? ''))
    const answer = await callJson(server.httpUrl, method, body, bearer(server.rootKey))
    answers.set(step.call, JSON.parse(answer.body))
    const { count, forged } = await codesOf(server)
    expect(forged, `${step.call} ${body}`).toEqual([])
    expect(count).toBeGreaterThan(1)
  }
}, 120_000)
