import { randomUUID } from 'node:crypto'
import { createPool, type Pool, type PoolOptions } from 'mysql2/promise'
import type { GuardMode, Violation } from '../../../../src/sdk/guard/guard-violation.ts'
import { type GuardedMysqlPool, guardedMysqlPool } from '../../../../src/sdk/guard/guarded-mysql-pool.ts'
import { createTenantGuard, type TenantGuard } from '../../../../src/sdk/guard/tenant-guard.ts'
import type { MysqlAccount } from '../../../rigs/mysql/mysql-account.ts'
import { mysqlAdministrator } from '../../../support/test-database.ts'

/** Tables of a service that is no part of Tenure, with the names it chose itself. */
const serviceTables = {
  orders: { tenant: 'account_id', workspace: 'team_id', upserts: true },
  invoices: { tenant: 'account_id' },
} as const

const schema = [
  `CREATE TABLE orders (account_id CHAR(36) NOT NULL, team_id CHAR(36) NOT NULL, id VARCHAR(64) NOT NULL,
    item VARCHAR(200) NOT NULL, quantity INT NOT NULL DEFAULT 1, made DATETIME(3) NULL,
    PRIMARY KEY (account_id, team_id, id))`,
  'CREATE TABLE invoices (account_id CHAR(36) NOT NULL, id VARCHAR(64) NOT NULL, total INT NOT NULL, PRIMARY KEY (account_id, id))',
  'CREATE TABLE countries (code CHAR(2) NOT NULL PRIMARY KEY)',
  "INSERT INTO countries (code) VALUES ('de'), ('fr')",
]

export interface PoolRig extends AsyncDisposable {
  readonly account: MysqlAccount & { readonly database: string }
  /** Behind the guard's back, for the test to look and to plant. */
  readonly bare: Pool
  /** `atConnect` runs on every new connection before anything else does. */
  open(mode?: GuardMode, options?: PoolOptions, atConnect?: string): Promise<OpenedPool>
}

export interface OpenedPool {
  readonly guard: TenantGuard
  readonly pool: GuardedMysqlPool
  readonly violations: Violation[]
}

/** A database of its own in the MySQL of this run, with the tables of a service. */
export async function createPoolRig(): Promise<PoolRig> {
  const administrator = mysqlAdministrator()
  const database = `guard_${randomUUID().slice(0, 8)}`
  const account = { ...administrator, database }
  const first = createPool({ ...administrator })
  await first.query('CREATE DATABASE ??', [database])
  await first.end()
  const bare = createPool({ ...account, connectionLimit: 2 })
  for (const statement of schema) await bare.query(statement)
  const pools: GuardedMysqlPool[] = []
  return {
    account,
    bare,
    async open(mode = 'enforce', options = {}, atConnect = 'SELECT 1') {
      const violations: Violation[] = []
      const guard = await createTenantGuard({
        dialect: 'mysql',
        tables: serviceTables,
        sharedTables: ['countries'],
        mode,
        reporter: { add: (violation) => violations.push(violation) },
      })
      const unguarded = createPool({ ...account, connectionLimit: 4, ...options })
      unguarded.on('connection', (connection) => {
        connection.query(atConnect)
      })
      const pool = guardedMysqlPool(guard, unguarded)
      pools.push(pool)
      return { guard, pool, violations }
    },
    async [Symbol.asyncDispose]() {
      for (const pool of pools) await pool.end()
      await bare.query('DROP DATABASE ??', [database])
      await bare.end()
    },
  }
}
