import { DataSource } from 'typeorm'
import { bindConnection } from '../../../src/sql-guard/connection-binding.ts'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { GuardedMysqlConnection } from '../../../src/storage/mysql/guarded-connection.ts'
import { createMysqlDriver } from '../../../src/storage/mysql/mysql-driver.ts'
import { openSession } from '../../../src/storage/mysql/mysql-session.ts'
import { allCellTables, guardedTables } from '../../../src/tables.ts'
import { openMysqlCell } from './mysql-cell.ts'
import { describeRawQueries } from './raw-query-contract.ts'

const statementTimeoutMs = 5_000

describeRawQueries('mysql', async () => {
  const rig = await openMysqlCell()
  const guard = await createGuard({ dialect: 'mysql', tables: guardedTables(), sink: { refused: () => undefined } })
  return {
    cell: rig.cell,
    async outside(kind, binding, work) {
      const driver = createMysqlDriver('9.7.0')
      const { database } = rig.server
      const dataSource = new DataSource({ type: 'mysql', driver, database, entities: [...allCellTables] })
      await dataSource.initialize()
      const session = await openSession(rig.server, kind)
      try {
        const connection = new GuardedMysqlConnection(guard, session, statementTimeoutMs)
        using _bound = bindConnection(connection, binding)
        const runner = dataSource.createQueryRunner('master')
        driver.offer(connection)
        await runner.connect()
        return await work(runner.manager)
      } finally {
        await session.end()
        await dataSource.destroy()
      }
    },
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  }
})
