import { describe, expect, test } from 'vitest'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { guardRefusalIn } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardedTables } from '../../../src/sql-guard/guard-types.ts'
import { isGivenName } from '../../../src/sql-guard/syntax-node.ts'
import { T, TENANT_BINDING, W } from './corpus-binding.ts'

/** The tables of a service that names its keys as it likes: each table its own. */
const tables: GuardedTables = {
  tenantTables: new Map([
    ['invoices', ['account_id']],
    ['tickets', ['account_id', 'team_id']],
    ['comments', ['org', 'squad']],
    ['currencies', []],
  ]),
  sharedKeys: new Set(),
  platformTables: new Map(),
}
const guard = await createGuard({ dialect: 'sqlite', tables, sink: { refused: () => {} } })

function reasonOf(sql: string, params: readonly unknown[]): string | undefined {
  try {
    guard.check(sql, params, TENANT_BINDING)
    return undefined
  } catch (error) {
    return guardRefusalIn(error)?.reason ?? String(error)
  }
}

describe('each table is pinned by its own key columns', () => {
  test.each<readonly [string, readonly unknown[]]>([
    ['SELECT total FROM invoices WHERE account_id = ?', [T]],
    ['SELECT title FROM tickets WHERE account_id = ? AND team_id = ?', [T, W]],
    ['SELECT text FROM comments WHERE squad = ? AND org = ?', [W, T]],
    [
      'SELECT t.title FROM tickets t JOIN comments c ON c.org = t.account_id AND c.squad = t.team_id WHERE t.account_id = ? AND t.team_id = ?',
      [T, W],
    ],
    ['INSERT INTO comments (org, squad, text) VALUES (?, ?, ?)', [T, W, 'hello']],
    ['SELECT code FROM currencies', []],
    ['SELECT c.code FROM invoices i JOIN currencies c ON c.code = i.currency WHERE i.account_id = ?', [T]],
    [
      'INSERT INTO comments (org, squad, id, text) VALUES (?, ?, ?, ?) ON CONFLICT (org, squad, id) DO UPDATE SET text = excluded.text, org = excluded.org',
      [T, W, 'c1', 'hello'],
    ],
  ])('%s', (sql, params) => {
    expect(reasonOf(sql, params)).toBeUndefined()
  })

  test.each<readonly [string, string, readonly unknown[]]>([
    ['unpinned-tenant', 'SELECT text FROM comments WHERE account_id = ? AND team_id = ?', [T, W]],
    ['unpinned-tenant', 'SELECT text FROM comments WHERE tenant_id = ? AND workspace_id = ?', [T, W]],
    ['unpinned-tenant', 'SELECT total FROM invoices WHERE team_id = ?', [T]],
    ['unpinned-workspace', 'SELECT text FROM comments WHERE org = ?', [T]],
    ['foreign-tenant', 'SELECT text FROM comments WHERE org = ? AND squad = ?', [W, T]],
    [
      'unpinned-workspace',
      'SELECT t.title FROM tickets t JOIN comments c ON c.org = t.account_id AND c.squad = t.account_id WHERE t.account_id = ? AND t.team_id = ?',
      [T, W],
    ],
    ['unpinned-tenant', 'SELECT i.total FROM invoices i JOIN currencies c ON c.account_id = i.account_id', []],
    ['unpinned-workspace', 'INSERT INTO comments (org, text) VALUES (?, ?)', [T, 'hello']],
    ['key-assignment', 'UPDATE comments SET squad = ? WHERE org = ? AND squad = ?', [W, T, W]],
    ['key-assignment', 'UPDATE invoices SET team_id = ? WHERE account_id = ?', [W, T]],
    ['shadowed-name', 'SELECT text AS org FROM comments WHERE org = ? AND squad = ?', [T, W]],
    [
      'key-assignment',
      'INSERT INTO comments (org, squad, id, text) VALUES (?, ?, ?, ?) ON CONFLICT (org, squad, id) DO UPDATE SET squad = excluded.squad',
      [T, W, 'c1', 'hello'],
    ],
  ])('%s: %s', (reason, sql, params) => {
    expect(reasonOf(sql, params)).toBe(reason)
  })
})

describe('columns with capitals in their names', () => {
  const mixedTables: GuardedTables = {
    ...tables,
    tenantTables: new Map([['orders', ['tenantId', 'workspaceId']]]),
    mixedCaseColumns: true,
  }
  const keys = [T, W]
  const place = '"tenantId" = ? AND "workspaceId" = ?'
  const reasonWith = async (list: GuardedTables, sql: string, params: readonly unknown[]) => {
    const mixed = await createGuard({ dialect: 'sqlite', tables: list, sink: { refused: () => {} } })
    try {
      mixed.check(sql, params, TENANT_BINDING)
      return undefined
    } catch (error) {
      return guardRefusalIn(error)?.reason ?? String(error)
    }
  }

  test.each<readonly [string | undefined, string, readonly unknown[]]>([
    [undefined, `SELECT "madeBy" FROM orders WHERE ${place}`, keys],
    [undefined, `UPDATE orders SET "madeBy" = ? WHERE ${place}`, ['x', ...keys]],
    [undefined, 'INSERT INTO orders ("tenantId", "workspaceId", "madeBy") VALUES (?, ?, ?)', [...keys, 'x']],
    [
      undefined,
      `SELECT "o"."tenantId" AS "o_tenantId" FROM "orders" "o" WHERE "o"."tenantId" = ? AND "o"."workspaceId" = ?`,
      keys,
    ],
    ['unpinned-tenant', 'SELECT "madeBy" FROM orders WHERE "tenantid" = ? AND "workspaceId" = ?', keys],
    ['foreign-tenant', `SELECT "madeBy" FROM orders WHERE ${place}`, [W, W]],
    ['key-assignment', `UPDATE orders SET "TENANTID" = ? WHERE ${place}`, [W, ...keys]],
    ['key-assignment', `UPDATE orders SET tenantid = ? WHERE ${place}`, [W, ...keys]],
    ['insert-columns', 'INSERT INTO orders ("tenantId", "workspaceId", "TenantID") VALUES (?, ?, ?)', [...keys, W]],
    ['shadowed-name', `SELECT "madeBy" AS "TENANTID" FROM orders WHERE ${place}`, keys],
    ['name', `SELECT "madeBy" FROM "Orders" WHERE ${place}`, keys],
    ['word', `SELECT madeBy FROM orders WHERE ${place}`, keys],
  ])('%s: %s', async (reason, sql, params) => {
    expect(await reasonWith(mixedTables, sql, params)).toBe(reason)
  })

  test('are refused where the list does not say that there are any', async () => {
    const { mixedCaseColumns: _without, ...strict } = mixedTables
    expect(await reasonWith(strict, `SELECT id FROM orders WHERE ${place}`, keys)).toBe('name')
  })
})

test.each<readonly [boolean, readonly string[]]>([
  [true, ['a', '_x', 'Z9', 'tenantId', 'tenant_id', 'x'.repeat(127)]],
  [false, ['', '9a', ' a', 'a b', '"a', 'a"', 'a;b', 'a-b', 'ä', 'aä', 'a\n', 'x'.repeat(128)]],
])('whether a service may give a column that name is %s', (may, names) => {
  for (const name of names) expect(isGivenName(name), JSON.stringify(name)).toBe(may)
})
