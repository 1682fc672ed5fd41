import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { notFound } from '../../../src/base/errors.ts'
import { type TenantId, tenantLevel } from '../../../src/base/ids.ts'
import { CreateUserResponseSchema } from '../../../src/gen/tenure/v1/user_service_pb.ts'
import { userRows } from '../../../src/people/user-store.ts'
import { seedPermissions, seedTenant } from '../../support/fixture.ts'
import { contextFor, insertUserRow, type Kernel, openKernel } from '../../support/kernel.ts'

let kernel: Kernel
let acme: TenantId
let globex: TenantId

beforeAll(async () => {
  kernel = await openKernel()
  await seedPermissions(kernel.test)
  acme = (await seedTenant(kernel.test, 'acme')).uid as TenantId
  globex = (await seedTenant(kernel.test, 'globex')).uid as TenantId
})

afterAll(() => kernel[Symbol.asyncDispose]())

const mutation = {
  event: 'users.create',
  target: 'tenants/acme/users/x',
  idempotency: undefined,
  response: CreateUserResponseSchema,
  validateOnly: false,
}

function bound(tenantId: TenantId) {
  return { kind: 'tenant', tenantId, workspaceId: tenantLevel, allWorkspaces: false } as const
}

test('a raw query without the predicate is refused by the guard, reading and writing', async () => {
  const { cell } = kernel.platform.storage
  const reads = ['SELECT * FROM users', 'SELECT slug FROM users WHERE state = ?', 'SELECT count(*) FROM users']
  for (const sql of reads) {
    const parameters = sql.includes('?') ? ['ACTIVE'] : []
    await expect(cell.read(bound(acme), (manager) => manager.query(sql, parameters))).rejects.toThrow(/guard/)
  }
  const write = cell.write(bound(acme), async (manager) => {
    await manager.query('UPDATE users SET state = ? WHERE slug = ?', ['DISABLED', 'alice'])
    return { value: undefined, keep: true }
  })
  await expect(write).rejects.toThrow(/guard/)
})

test('a predicate on another tenant than the bound one is refused', async () => {
  const { cell } = kernel.platform.storage
  const query = (tenantId: TenantId) =>
    cell.read(bound(acme), (manager) => manager.query('SELECT slug FROM users WHERE tenant_id = ?', [tenantId]))
  await expect(query(globex)).rejects.toThrow(/guard/)
  expect((await query(acme)).length).toBe(2)
})

test('a scope sees the rows of its tenant alone', async () => {
  const users = await kernel.platform.scopes.read(await contextFor(kernel, acme), (scope) =>
    userRows(scope).list({}, 100),
  )
  expect(new Set(users.map(({ tenantId }) => tenantId))).toEqual(new Set([acme]))
})

test('a unit that throws leaves no row, no audit event and no revision', async () => {
  const context = await contextFor(kernel, acme)
  const before = await kernel.headOf(acme)
  const failed = kernel.platform.scopes.write(context, mutation, async (unit) => {
    await insertUserRow(unit, 'ghost')
    throw notFound()
  })
  await expect(failed).rejects.toMatchObject({ reason: 'NOT_FOUND' })
  expect(await kernel.headOf(acme)).toEqual(before)
  const ghost = await kernel.platform.scopes.read(context, (scope) => userRows(scope).find({ slug: 'ghost' }))
  expect(ghost).toBeUndefined()
})

test('validate_only runs everything and writes nothing', async () => {
  const context = await contextFor(kernel, acme)
  const before = await kernel.headOf(acme)
  await kernel.platform.scopes.write(context, { ...mutation, validateOnly: true }, async (unit) => {
    await insertUserRow(unit, 'shadow')
    return create(CreateUserResponseSchema, { revision: unit.revision })
  })
  expect(await kernel.headOf(acme)).toEqual(before)
})

test('a unit makes exactly one journal row, one revision and one sequence, naming the rows it touched', async () => {
  const before = await kernel.headOf(acme)
  await kernel.platform.scopes.write(await contextFor(kernel, acme), mutation, async (unit) => {
    await insertUserRow(unit, 'one')
    await insertUserRow(unit, 'two')
    return create(CreateUserResponseSchema, { revision: unit.revision })
  })
  const after = await kernel.headOf(acme)
  expect(after.revision).toBe(before.revision + 1)
  expect(after.sequence).toBe(before.sequence + 1)
  const [row] = await kernel.sideDoor.all(
    'SELECT changes FROM journal WHERE tenant_id = ? AND chain = ? AND sequence = ?',
    [acme, 'authority', after.sequence],
  )
  const changes: string[][] = JSON.parse(String(row?.changes))
  expect(changes.map(([table]) => table)).toEqual(['users', 'users'])
})

test('64 writers on one tenant make a chain without a gap, and it verifies', async () => {
  const before = await kernel.headOf(globex)
  const writers = Array.from({ length: 64 }, async (_, index) =>
    kernel.platform.scopes.write(await contextFor(kernel, globex), mutation, async (unit) => {
      await insertUserRow(unit, `writer-${index}`)
      return create(CreateUserResponseSchema, { revision: unit.revision })
    }),
  )
  const answers = await Promise.all(writers)
  expect(new Set(answers.map(({ revision }) => revision)).size).toBe(64)
  expect((await kernel.headOf(globex)).sequence).toBe(before.sequence + 64)
  expect(await kernel.verify(globex)).toMatchObject({ valid: true, verifiedCount: before.sequence + 64 })
})

test('a look-alike capability and a capability inside a tenant scope are refused', async () => {
  const { directory, scopes, capabilities } = kernel.platform
  await expect(async () => directory.read({ purpose: 'tenant-directory' }, async () => 1)).rejects.toThrow(/capability/)
  const inside = scopes.read(await contextFor(kernel, acme), () =>
    directory.read(capabilities['tenant-directory'], async () => 1),
  )
  await expect(inside).rejects.toThrow(/inside a scope/)
})

test('a capability reaches the tables of its purpose alone', async () => {
  const { directory, capabilities } = kernel.platform
  const stray = directory.read(capabilities['permission-catalogue'], (scope) =>
    scope.rows(kernel.placementTable).list({}, 1),
  )
  await expect(stray).rejects.toThrow(/guard/)
})

test('a scope of one tenant cannot be opened inside another', async () => {
  const { scopes } = kernel.platform
  const other = await contextFor(kernel, globex)
  const nested = scopes.read(await contextFor(kernel, acme), () => scopes.read(other, async () => 1))
  await expect(nested).rejects.toThrow(/scope of another/)
})

const head = "tenant_id = (SELECT tenant_id FROM tenant_heads WHERE slug = 'acme')"
const events = `${head} AND chain = 'authority'`
const tampering: [string, string[], number][] = [
  ['an edited record', [`UPDATE journal SET record = x'00' WHERE ${events} AND sequence = 3`], 3],
  ['an edited column', [`UPDATE journal SET principal = 'x' WHERE ${events} AND sequence = 4`], 4],
  ['a removed event', [`DELETE FROM journal WHERE ${events} AND sequence = 2`], 2],
  ['a cut tail', [`DELETE FROM journal WHERE ${events} AND sequence > 5`], 6],
  [
    'two events exchanged',
    [
      `UPDATE journal SET sequence = CASE sequence WHEN 2 THEN -3 ELSE -2 END WHERE ${events} AND sequence IN (2, 3)`,
      `UPDATE journal SET sequence = -sequence WHERE ${head} AND sequence < 0`,
    ],
    2,
  ],
]

test.each(tampering)('verification finds %s and names the first bad sequence', async (_name, damage, firstBad) => {
  await using copy = await kernel.copy()
  for (const statement of damage) await copy.sideDoor.run(statement)
  const verdict = await copy.verify(acme)
  expect(verdict.valid).toBe(false)
  expect(verdict.firstBadSequence).toBe(firstBad)
})
