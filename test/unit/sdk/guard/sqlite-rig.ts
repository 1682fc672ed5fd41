import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataSource, EntitySchema } from 'typeorm'
import { guardDataSource } from '../../../../src/sdk/guard/guard-data-source.ts'
import type { CountedViolation, GuardMode, Violation } from '../../../../src/sdk/guard/guard-violation.ts'
import { createTenantGuard, type TenantGuard } from '../../../../src/sdk/guard/tenant-guard.ts'
import type { TestClock } from '../test-clock.ts'
import { tenantUid, workspaceUid } from './contexts.ts'
import { SqliteDatabase } from './sqlite-class.ts'

export interface Order {
  readonly account: string
  readonly team: string
  readonly id: string
  readonly item: string
}

export const OrderTable = new EntitySchema<Order>({
  name: 'orders',
  columns: {
    account: { name: 'account_id', type: 'text', primary: true },
    team: { name: 'team_id', type: 'text', primary: true },
    id: { type: 'text', primary: true },
    item: { type: 'text' },
  },
})

export interface Invoice {
  readonly account: string
  readonly id: string
  readonly total: number
}

export const InvoiceTable = new EntitySchema<Invoice>({
  name: 'invoices',
  columns: {
    account: { name: 'account_id', type: 'text', primary: true },
    id: { type: 'text', primary: true },
    total: { type: 'integer' },
  },
})

const schema = `
  CREATE TABLE orders (account_id TEXT, team_id TEXT, id TEXT, item TEXT, PRIMARY KEY (account_id, team_id, id));
  CREATE TABLE invoices (account_id TEXT, id TEXT, total INTEGER, PRIMARY KEY (account_id, id));
  CREATE TABLE countries (code TEXT PRIMARY KEY);
  INSERT INTO countries VALUES ('de'), ('fr')`

export interface SqliteRig extends AsyncDisposable {
  readonly guard: TenantGuard
  readonly dataSource: DataSource
  /** Behind the guard's back. */
  readonly bare: SqliteDatabase
  /** Every single violation, and those somebody was told of. */
  readonly seen: Violation[]
  readonly told: CountedViolation[]
}

/** A service's own file behind the guard: two orders in two workspaces of each of two tenants. */
export async function openSqliteRig(mode: GuardMode, clock: TestClock): Promise<SqliteRig> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-guard-'))
  const database = join(folder, 'service.db')
  const bare = new SqliteDatabase(database)
  bare.exec(schema)
  for (const n of [1, 2]) {
    for (const workspace of [1, 2]) {
      const row = [tenantUid(n), workspaceUid(n, workspace), `o${n}${workspace}`, 'x']
      bare.prepare('INSERT INTO orders VALUES (?, ?, ?, ?)').run(...row)
    }
  }
  const seen: Violation[] = []
  const told: CountedViolation[] = []
  const guard = await createTenantGuard({
    dialect: 'sqlite',
    tables: { orders: { tenant: 'account_id', workspace: 'team_id' }, invoices: { tenant: 'account_id' } },
    sharedTables: ['countries'],
    mode,
    clock,
    reporter: { add: (violation) => seen.push(violation) },
    onViolation: (violation) => told.push(violation),
  })
  const options = { type: 'better-sqlite3' as const, database, entities: [OrderTable, InvoiceTable] }
  const dataSource = new DataSource(guardDataSource(guard, { ...options, driver: SqliteDatabase }))
  await dataSource.initialize()
  return {
    guard,
    dataSource,
    bare,
    seen,
    told,
    async [Symbol.asyncDispose]() {
      await dataSource.destroy()
      bare.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
