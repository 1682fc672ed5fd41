import { describe, expect, test } from 'vitest'
import { GuardViolation } from '../../../../src/sdk/guard/guard-violation.ts'
import { createTenantGuard, type TenantGuardOptions } from '../../../../src/sdk/guard/tenant-guard.ts'
import { TenantSession, withTenant } from '../../../../src/sdk/guard/tenant-session.ts'
import { loggableStatement } from '../../../../src/sql-guard/guard-refusal.ts'
import { contextOfTenant } from './contexts.ts'

const tables = { orders: { tenant: 'account_id' } }

describe('lists a guard could not keep are refused at the start, in words', () => {
  test.each<readonly [string, Partial<Record<keyof TenantGuardOptions, unknown>>]>([
    ['dialect is mysql or sqlite', { dialect: 'postgres' }],
    ['mode is enforce or report', { mode: 'off' }],
    ['the mode report needs onViolation or a reporter', { mode: 'report' }],
    ['tables is empty', { tables: {}, sharedTables: ['countries'] }],
    ['"Orders" is no table the guard can know', { tables: { Orders: { tenant: 'account_id' } } }],
    ['"shop.orders" is no table', { tables: { 'shop.orders': { tenant: 'account_id' } } }],
    ['the table orders has to name its key columns', { tables: { orders: { tenant: 'account id' } } }],
    ['the table orders has to name its key columns', { tables: { orders: 'account_id' } }],
    ['one column for tenant and workspace', { tables: { orders: { tenant: 'a', workspace: 'A' } } }],
    ['the table orders is listed twice', { sharedTables: ['orders'] }],
  ])('%s', async (words, changes) => {
    const options = { dialect: 'mysql', tables, ...changes } as TenantGuardOptions
    await expect(createTenantGuard(options)).rejects.toThrow(words)
  })
})

test('an upsert of MySQL passes only where every unique key of the table is said to begin with its owner', async () => {
  const sql = 'INSERT INTO orders (account_id, id) VALUES (?, ?) ON DUPLICATE KEY UPDATE id = VALUES(id)'
  const acme = contextOfTenant(1)
  for (const upserts of [true, false]) {
    const guard = await createTenantGuard({ dialect: 'mysql', tables: { orders: { tenant: 'account_id', upserts } } })
    const act = () => guard.admit(sql, [acme.tenantUid, 'o1'], new TenantSession(acme, {}))
    if (upserts) expect(act).not.toThrow()
    else expect(act).toThrow(GuardViolation)
  }
})

test('a context that no verifier made is no place to work in', async () => {
  const { tenantUid: _left, ...without } = contextOfTenant(1)
  const nil = '00000000-0000-0000-0000-000000000000'
  for (const tenantUid of [undefined, '', nil, 7]) {
    await expect(withTenant({ ...without, tenantUid } as never, async () => 'in')).rejects.toThrow('verified token')
  }
  await expect(withTenant({ ...contextOfTenant(1), workspaceUid: nil }, async () => 'in')).rejects.toThrow('verified')
})

test('the text that is told holds no literal, however its quotes are escaped', () => {
  const told = (sql: string) => loggableStatement(sql, true)
  const secret = 'hunter'
  for (const literal of [
    `'${secret}'`,
    `'it\\'s ${secret}'`,
    `'it''s ${secret}'`,
    `"${secret}"`,
    `"a\\"${secret}"`,
    `'${secret}`,
  ]) {
    expect(told(`SELECT id FROM orders WHERE a = ${literal} AND b = 123456`)).not.toMatch(/hunter|123456/)
  }
})
