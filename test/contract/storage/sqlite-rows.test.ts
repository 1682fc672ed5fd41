import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EntityManager } from 'typeorm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId, WorkspaceId } from '../../../src/base/ids.ts'
import { silentLog } from '../../../src/observe/log.ts'
import type { UserRow } from '../../../src/people/user.ts'
import { UserTable } from '../../../src/people/user-table.ts'
import type { SecretRow } from '../../../src/secrets/secret.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import { createRuntime } from '../../../src/server.ts'
import { openStorage, type Storage } from '../../../src/storage-parts.ts'
import { createRows, type RowContent, type Rows } from '../../../src/tenancy/rows.ts'
import type { TenantContext } from '../../../src/tenancy/tenant-context.ts'
import { tenantRows } from '../../../src/tenancy/tenant-rows.ts'
import { testCodes } from '../../support/test-codes.ts'
import { testConfig } from '../../support/test-server.ts'

const acme = '018f0000-0000-7000-8000-00000000000a' as TenantId
const globex = '018f0000-0000-7000-8000-00000000000b' as TenantId
const prod = '018f0000-0000-7000-8000-0000000000aa' as WorkspaceId
const stage = '018f0000-0000-7000-8000-0000000000bb' as WorkspaceId
const folder = mkdtempSync(join(tmpdir(), 'tenure-rows-'))
const time = new Date('2026-01-31T12:34:56.789Z')
let storage: Storage
let touched: [string, RowContent][]

beforeAll(async () => {
  const config = testConfig(folder)
  storage = await openStorage(config, createRuntime(config, { log: silentLog }))
})

afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** Whatever a test writes is gone before the next. */
function inTenant<T>(tenantId: TenantId, work: (manager: EntityManager) => Promise<T>, keep = false): Promise<T> {
  const binding = { kind: 'tenant', tenantId, workspaceId: prod, allWorkspaces: true } as const
  return storage.cell.write(binding, async (manager) => ({ value: await work(manager), keep }))
}

function users(manager: EntityManager, tenantId: TenantId = acme): Rows<UserRow> {
  return createRows(manager, UserTable, {
    place: { tenantId },
    idProperty: 'userId',
    touched: (id, content) => touched.push([id, content]),
    codes: testCodes(),
  })
}

function userRow(tenantId: TenantId, userId: string, changes: Partial<UserRow> = {}): UserRow {
  return {
    ...{ tenantId, userId, slug: userId, issuer: 'https://idp.example', subject: userId, email: '', displayName: '' },
    ...{ emailVerified: true, state: 'ACTIVE', version: 1, createTime: time, updateTime: time },
    ...changes,
  }
}

const ids = (rows: readonly UserRow[]): string[] => rows.map(({ userId }) => userId).sort()

beforeEach(async () => {
  touched = []
  for (const tenantId of [acme, globex]) {
    await inTenant(
      tenantId,
      async (manager) => {
        const rows = users(manager, tenantId)
        for (const row of await rows.all({})) await rows.delete(row.userId)
        await rows.insertMany(['a', 'b', 'c'].map((id) => userRow(tenantId, id, { email: `${id}@${tenantId}` })))
      },
      true,
    )
  }
  touched = []
})

describe('the rows of one place', () => {
  test('are found and listed there, and whatever is asked for beside it only narrows that', async () => {
    await inTenant(acme, async (manager) => {
      const rows = users(manager)
      expect(await rows.find({ slug: 'a' })).toMatchObject(userRow(acme, 'a', { email: `a@${acme}` }))
      expect(await rows.find({ slug: 'z' })).toBeUndefined()
      expect(await rows.find({ email: `a@${globex}` })).toBeUndefined()
      expect(ids(await rows.list({}, 2))).toHaveLength(2)
      expect(ids(await rows.list({ slug: 'b' }, 9))).toEqual(['b'])
      expect(ids(await rows.all({}))).toEqual(['a', 'b', 'c'])
      expect(ids(await rows.all({ slug: 'c', state: 'ACTIVE' }))).toEqual(['c'])
      expect(ids(await rows.all({ slug: 'c', state: 'DISABLED' }))).toEqual([])
      expect([await rows.count({}), await rows.count({ slug: 'a' })]).toEqual([3, 1])
    })
  })

  test('of another cannot be asked for in their stead', async () => {
    await inTenant(acme, async (manager) => {
      const rows = users(manager)
      for (const ask of [
        () => rows.find({ tenantId: globex }),
        () => rows.all({ tenantId: globex }),
        () => rows.list({ tenantId: globex }, 9),
        () => rows.count({ tenantId: globex }),
        () => rows.deleteAll({ tenantId: globex }),
      ]) {
        await expect(ask()).rejects.toThrow(/guard/)
      }
    })
  })

  test('are read in pages: by condition, in order, so many, and without what is too large', async () => {
    await inTenant(acme, async (manager) => {
      const rows = users(manager)
      const page = (query: Partial<Parameters<typeof rows.page>[0]>) =>
        rows.page({ conditions: [], orderBy: [{ property: 'slug', descending: false }], limit: 9, ...query })
      expect((await page({})).map(({ slug }) => slug)).toEqual(['a', 'b', 'c'])
      expect((await page({ limit: 2 })).map(({ slug }) => slug)).toEqual(['a', 'b'])
      expect((await page({ orderBy: [{ property: 'slug', descending: true }] })).map(({ slug }) => slug)).toEqual([
        'c',
        'b',
        'a',
      ])
      const either = { sql: 'row.slug = :one OR row.slug = :two', parameters: { one: 'a', two: 'b' } }
      const notA = { sql: 'row.slug != :a', parameters: { a: 'a' } }
      expect((await page({ conditions: [either, notA] })).map(({ slug }) => slug)).toEqual(['b'])
      const [first] = await page({ without: ['email'] })
      expect(first).toMatchObject({ slug: 'a', tenantId: acme })
      expect(first?.email).toBeUndefined()
      expect((await page({}))[0]?.email).toBe(`a@${acme}`)
    })
  })

  test('are changed by id, but for who owns them and which they are', async () => {
    await inTenant(acme, async (manager) => {
      const rows = users(manager)
      const changes = { displayName: 'A', tenantId: globex, userId: 'z' }
      expect(await rows.update('a', changes)).toBe(true)
      expect(await rows.update('nobody', { displayName: 'A' })).toBe(false)
      expect((await rows.all({ displayName: 'A' })).map(({ tenantId, userId }) => [tenantId, userId])).toEqual([
        [acme, 'a'],
      ])
      expect(touched).toEqual([
        ['a', undefined],
        ['nobody', undefined],
      ])
      expect(await rows.update('b', { displayName: 'B' }, { property: 'version', below: 1 })).toBe(false)
      expect(await rows.update('b', { displayName: 'B' }, { property: 'version', below: 2 })).toBe(true)
    })
  })

  test('are inserted in batches and deleted one by one or by what they say, and each is told of', async () => {
    await inTenant(acme, async (manager) => {
      const rows = users(manager)
      const many = Array.from({ length: 201 }, (_, n) =>
        userRow(acme, `n${String(n).padStart(3, '0')}`, { state: 'DISABLED' }),
      )
      await rows.insertMany(many)
      expect(touched).toEqual(many.map((row) => [row.userId, row]))
      touched = []
      await rows.insert(userRow(acme, 'one'))
      expect(touched).toEqual([['one', userRow(acme, 'one')]])
      touched = []
      expect([await rows.delete('one'), await rows.delete('one')]).toEqual([true, false])
      expect(touched).toEqual([
        ['one', null],
        ['one', null],
      ])
      touched = []
      expect(await rows.deleteAll({ state: 'DISABLED' })).toBe(201)
      expect(touched.map(([id, content]) => [id, content]).sort()).toEqual(many.map(({ userId }) => [userId, null]))
      expect(ids(await rows.all({}))).toEqual(['a', 'b', 'c'])
      await expect(rows.deleteAll({})).rejects.toThrow('every row of users would be deleted')
    })
  })

  test('are never asked for without a value, nor by what they do not have', async () => {
    await inTenant(acme, async (manager) => {
      const rows = users(manager)
      const without = { slug: undefined as unknown as string }
      expect(() => rows.find(without)).toThrow('users.slug is asked for without a value')
      expect(() => rows.find({ nothing: 1 } as never)).toThrow('users has no property nothing')
      expect(rows.comparable('displayName', 'ünïcode')).toBe('ünïcode')
      expect(rows.comparable('slug', 'plain')).toBe('plain')
      expect(rows.comparable('slug', 'pläin')).toBe('pl\x7f')
      expect(rows.comparable('slug', '\u0080x')).toBe('\x7f')
      expect(rows.comparable('slug', '\x7f')).toBe('\x7f')
      expect(await rows.find({ slug: 'ä' })).toBeUndefined()
    })
  })
})

describe('the rows of a context', () => {
  const context = { tenantId: acme, workspaceId: prod } as TenantContext
  const secretRow = (workspaceId: string, secretId: string): SecretRow => ({
    ...{ tenantId: acme, workspaceId, secretId, slug: secretId, labels: { a: 'b' }, latestVersion: 0, versionCount: 0 },
    ...{ version: 1, createTime: time, updateTime: time },
  })

  test('are those of its workspace, or of all where that is asked for', async () => {
    await inTenant(acme, async (manager) => {
      const heard: unknown[][] = []
      const open = (allWorkspaces: boolean) =>
        tenantRows(manager, SecretTable, context, {
          allWorkspaces,
          touched: (...told) => heard.push(told),
          codes: testCodes(),
        })
      for (const row of [secretRow(prod, 'one'), secretRow(stage, 'two')]) await open(true).insert(row)
      expect((await open(false).all({})).map(({ secretId }) => secretId)).toEqual(['one'])
      expect((await open(true).all({})).map(({ secretId }) => secretId).sort()).toEqual(['one', 'two'])
      expect(await open(false).find({ slug: 'one' })).toEqual(secretRow(prod, 'one'))
      expect(await open(false).update('two', { version: 2 })).toBe(false)
      expect(heard.map(([table, workspaceId, id]) => [table, workspaceId, id])).toEqual([
        ['secrets', prod, 'one'],
        ['secrets', prod, 'two'],
        ['secrets', prod, 'two'],
      ])
    })
  })

  test('of a table of the tenant are told of without a workspace', async () => {
    await inTenant(acme, async (manager) => {
      const heard: unknown[][] = []
      const rows = tenantRows(manager, UserTable, context, {
        allWorkspaces: false,
        touched: (...told) => heard.push(told),
        codes: testCodes(),
      })
      expect(ids(await rows.all({}))).toEqual(['a', 'b', 'c'])
      await rows.delete('a')
      expect(heard).toEqual([['users', '', 'a', null]])
    })
  })
})
