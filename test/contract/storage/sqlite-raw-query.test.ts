import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataSource } from 'typeorm'
import { systemClock } from '../../../src/base/clock.ts'
import { bindConnection } from '../../../src/sql-guard/connection-binding.ts'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { migrateSqlite } from '../../../src/storage/sqlite/migrate-sqlite.ts'
import { createNodeSqliteDriver } from '../../../src/storage/sqlite/node-sqlite-driver.ts'
import { createWriterTurn, openSqliteDatabase } from '../../../src/storage/sqlite/sqlite-database.ts'
import { allCellTables, guardedTables } from '../../../src/tables.ts'
import { describeRawQueries } from './raw-query-contract.ts'

describeRawQueries('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-raw-'))
  const path = join(folder, 'cell.db')
  migrateSqlite(path, systemClock)
  const guard = await createGuard({ dialect: 'sqlite', tables: guardedTables(), sink: { refused: () => undefined } })
  const shared = { path, guard, entities: allCellTables, readers: 2, maxWaitingReads: 10 }
  const cell = await openSqliteDatabase({ ...shared, writerTurn: createWriterTurn() })
  return {
    cell,
    async outside(kind, binding, work) {
      const dataSource = new DataSource({
        type: 'better-sqlite3',
        database: path,
        driver: createNodeSqliteDriver({ guard }),
        entities: [...allCellTables],
        readonly: kind === 'read',
      })
      await dataSource.initialize()
      try {
        const runner = dataSource.createQueryRunner()
        using _bound = bindConnection(await runner.connect(), binding)
        return await work(runner.manager)
      } finally {
        await dataSource.destroy()
      }
    },
    async [Symbol.asyncDispose]() {
      await cell[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})
