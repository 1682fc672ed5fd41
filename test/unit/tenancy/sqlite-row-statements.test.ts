import type { EntityManager } from 'typeorm'
import { EntitySchema } from 'typeorm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { nilUuid } from '../../../src/base/ids.ts'
import { OperationTable } from '../../../src/operations/operation-table.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import { findRow } from '../../../src/tenancy/find-row.ts'
import { insertRows } from '../../../src/tenancy/insert-rows.ts'
import { type PlatformReadScope, readCell, writeCell } from '../../../src/tenancy/platform-scope.ts'
import { TenantHeadTable } from '../../../src/tenants/tenant-table.ts'
import { WorkspaceTable } from '../../../src/tenants/workspace-table.ts'
import { testRowCodes } from '../../support/test-codes.ts'
import { acme, contextAt, globex, openScopeRig, prod, type ScopeRig, secretRow, stage, time } from './scope-rig.ts'

let rig: ScopeRig
const here = contextAt()

beforeAll(async () => {
  rig = await openScopeRig()
})

afterAll(() => rig[Symbol.asyncDispose]())

/** As the tenant, over every workspace. Whatever is written is gone afterwards. */
function inTenant<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
  const binding = { kind: 'tenant', tenantId: acme, workspaceId: prod, allWorkspaces: true } as const
  return rig.cell.write(binding, async (manager) => ({ value: await work(manager), keep: false }))
}

const tenant = ['tenantId', acme, 'tenant_id'] as const
const slugged = (slug: string) => ['slug', slug, 'slug'] as const

describe('a row that is found', () => {
  test('has every condition that was named, and is read with every property as it was written', async () => {
    await inTenant(async (manager) => {
      const rows = ['a', 'b'].map((slug) => ({ ...secretRow(here, slug), labels: { of: slug } }))
      await insertRows(manager, SecretTable, rows)
      expect(await findRow(manager, SecretTable, [tenant, slugged('b')])).toEqual(rows[1])
      expect(await findRow(manager, SecretTable, [tenant, slugged('a')])).toEqual(rows[0])
      expect(await findRow(manager, SecretTable, [tenant, slugged('z')])).toBeUndefined()
      expect(await findRow(manager, SecretTable, [slugged('a'), tenant])).toEqual(rows[0])
    })
  })

  test('has null where the database has it', async () => {
    await inTenant(async (manager) => {
      const row = {
        ...{ tenantId: acme, workspaceId: stage, slug: 's', displayName: '', state: 'ACTIVE' as const, labels: {} },
        ...{ version: 1, createTime: time, updateTime: time, deleteTime: null, purgeTime: time },
      }
      await insertRows(manager, WorkspaceTable, [row])
      expect(await findRow(manager, WorkspaceTable, [tenant])).toEqual({ ...row, rowCode: null })
    })
  })

  test('is asked for in one text for the same columns, and that is put together once', async () => {
    await inTenant(async (manager) => {
      await findRow(manager, SecretTable, [tenant, slugged('a')])
      const quoting = vi.spyOn(manager.connection.driver, 'escape')
      await findRow(manager, SecretTable, [tenant, slugged('b')])
      expect(quoting).not.toHaveBeenCalled()
      quoting.mockRestore()
      await findRow(manager, SecretTable, [tenant])
    })
    const [first, second, third] = rig.statements.slice(-3)
    expect(first).toMatch(/^SELECT "tenant_id", .* FROM secrets WHERE "tenant_id" = \? AND "slug" = \? LIMIT 1$/)
    expect(second).toBe(first)
    expect(third).toMatch(/ WHERE "tenant_id" = \? LIMIT 1$/)
  })

  test('is, of a table of one row, the one there is', async () => {
    const find = (manager: EntityManager) => findRow(manager, SecretTable, [])
    await expect(inTenant(find)).rejects.toThrow(/guard/)
    const found = await readCell(rig.cell, rig.capabilities['projection-repair'], ({ rows }) =>
      rows(HeadSlugTable).find({}),
    )
    expect([acme, globex]).toContain(found?.tenantId)
  })
})

interface HeadSlug {
  readonly tenantId: string
  readonly slug: string
}

const HeadSlugTable = TenantHeadTable as unknown as EntitySchema<HeadSlug>

describe('rows that are inserted', () => {
  test('go in one statement with their values beside it', async () => {
    rig.statements.length = 0
    const rows = ['a', 'b', 'c'].map((slug) => secretRow(here, slug))
    const found = await inTenant(async (manager) => {
      await insertRows(manager, SecretTable, rows)
      return manager.query('SELECT slug FROM secrets WHERE tenant_id = ? ORDER BY slug', [acme])
    })
    expect(found).toMatchObject([{ slug: 'a' }, { slug: 'b' }, { slug: 'c' }])
    const marks = `(${'?, '.repeat(9)}?)`
    expect(rig.statements[0]).toMatch(/^INSERT INTO "secrets" \("tenant_id", "workspace_id", "secret_id", /)
    expect(rig.statements[0]?.endsWith(`) VALUES ${marks}, ${marks}, ${marks}`)).toBe(true)
  })

  test('leave to the database what it makes by itself', async () => {
    const { createTime: _left, ...row } = secretRow(here, 'a')
    await expect(inTenant((manager) => insertRows(manager, SecretTable, [row as never]))).rejects.toThrow()
    expect(rig.statements.at(-1)).not.toContain('create_time')
    expect(rig.statements.at(-1)).toContain('update_time')
  })

  test('are no statement where there are none', async () => {
    rig.statements.length = 0
    await inTenant((manager) => insertRows(manager, SecretTable, []))
    expect(rig.statements).toEqual([])
  })
})

describe('the rows of the platform', () => {
  const operation = (operationId: string) => ({
    ...{ tenantId: acme, operationId, kind: 'k', target: '', state: 'RUNNING', actor: here.actor, input: {} },
    ...{ checkpoint: {}, phase: '', done: 0, total: 0, message: '', cancelRequested: false, attempt: 0 },
    ...{ failureCount: 0, leaseHolder: '', leaseExpireTime: time, error: null, responseType: '', response: null },
    ...{ createTime: time, updateTime: time, endTime: null, expireTime: null },
  })

  test('are written and read across tenants with the capability for their table, and with no other', async () => {
    const { cell, capabilities } = rig
    await writeCell(
      cell,
      capabilities.operations,
      async ({ rows }) => {
        const operations = rows(OperationTable)
        await operations.insert(operation('one') as never)
        await operations.insert({ ...operation('two'), tenantId: globex } as never)
        expect(await operations.update('one', { phase: 'late' })).toBe(true)
      },
      testRowCodes(),
    )
    const read = await readCell(cell, capabilities.operations, ({ rows }) => rows(OperationTable).all({}))
    expect(read.map((row) => [row.tenantId, row.operationId, row.phase]).sort()).toEqual([
      [acme, 'one', 'late'],
      [globex, 'two', ''],
    ])
    const judge = async ({ rows }: PlatformReadScope) => {
      const operations = rows(OperationTable)
      return (await operations.all({})).map(operations.isGenuine)
    }
    expect(await readCell(cell, capabilities.operations, judge, testRowCodes())).toEqual([true, true])
    await expect(readCell(cell, capabilities.operations, judge)).rejects.toThrow(
      'before the key of its code was opened',
    )
    const straying = readCell(cell, capabilities['change-feed'], ({ rows }) => rows(OperationTable).all({}))
    await expect(straying).rejects.toThrow(/guard/)
    const writing = readCell(cell, capabilities.operations, ({ rows }) => rows(OperationTable).delete('one'))
    await expect(writing).rejects.toThrow()
  })

  test('are told of by table and id, under no workspace', async () => {
    const changes: [string, string, string][] = []
    await rig.cell.write({ kind: 'platform', purpose: 'operations' }, async (manager) => {
      await rig.platformRows(manager, changes, OperationTable as never).insert(operation('three'))
      return { value: undefined, keep: false }
    })
    expect(changes).toEqual([['operations', nilUuid, 'three']])
  })

  test('of a table without a primary key are not to be had', async () => {
    const keyless = new EntitySchema({ name: 'things', columns: { body: { type: 'text' } } })
    await inTenant(async (manager) => {
      expect(() => rig.platformRows(manager, [], keyless)).toThrow('things has no primary key')
    })
  })
})
