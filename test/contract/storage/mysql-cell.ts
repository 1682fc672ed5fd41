import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { systemClock } from '../../../src/base/clock.ts'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import type { Database } from '../../../src/storage/database.ts'
import { migrateMysql } from '../../../src/storage/mysql/migrate-mysql.ts'
import { openMysqlDatabase } from '../../../src/storage/mysql/mysql-database.ts'
import type { MysqlServer } from '../../../src/storage/mysql/mysql-server.ts'
import { allCellTables, guardedTables } from '../../../src/tables.ts'
import { type FaultProxy, openFaultProxy } from '../../rigs/tcp-fault-proxy.ts'
import { mysqlAdministrator } from '../../support/test-database.ts'

/** A cell on the MySQL of this run, reached through a network that can be told to fail. */
export interface MysqlCell extends AsyncDisposable {
  readonly cell: Database
  readonly server: MysqlServer
  readonly network: FaultProxy
  /** What the database could not do in silence. */
  readonly failures: string[]
  /** As an administrator, behind the guard and beside the network. */
  sql(statement: string, parameters?: (string | number | Buffer)[]): Promise<RowDataPacket[]>
}

export interface MysqlCellOptions {
  readonly readers?: number
  readonly writers?: number
  readonly maxWaiting?: number
}

export async function openMysqlCell(options: MysqlCellOptions = {}): Promise<MysqlCell> {
  await using stack = new AsyncDisposableStack()
  const administrator = mysqlAdministrator()
  const database = `cell_${crypto.randomUUID().slice(0, 13).replaceAll('-', '_')}`
  const admin = await createConnection({ ...administrator })
  stack.defer(() => admin.end())
  await admin.query(`CREATE DATABASE ${database}`)
  stack.defer(async () => void (await admin.query(`DROP DATABASE ${database}`)))
  await migrateMysql({ ...administrator, database, tls: undefined }, systemClock)
  await admin.query(`USE ${database}`)
  const network = stack.use(await openFaultProxy(administrator))
  const server = { ...administrator, host: network.host, port: network.port, database, tls: undefined }
  const failures: string[] = []
  const cell = await openMysqlDatabase({
    ...{ server, serverVersion: '9.7.0', entities: allCellTables, clock: systemClock, jitter: () => 0.5 },
    ...{ readers: 4, writers: 4, maxWaiting: 1_000, ...options },
    guard: await createGuard({ dialect: 'mysql', tables: guardedTables(), sink: { refused: () => undefined } }),
    failed: (what) => void failures.push(what),
  })
  stack.use(cell)
  const owned = stack.move()
  return {
    ...{ cell, server, network, failures },
    sql: async (statement, parameters) => (await admin.query<RowDataPacket[]>(statement, parameters))[0],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
