import { describe, expect, test } from 'vitest'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { guardRefusalIn } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardedTables } from '../../../src/sql-guard/guard-types.ts'
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
