import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { guardProbe } from '../../../src/assurance/isolation/guard-probe.ts'
import { runProbe } from '../../../src/assurance/isolation/probe.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { createGuard, type Guard } from '../../../src/sql-guard/guard.ts'
import { migrateSqlite } from '../../../src/storage/sqlite/migrate-sqlite.ts'
import { createWriterTurn, openSqliteDatabase } from '../../../src/storage/sqlite/sqlite-database.ts'
import { allCellTables, cellTables, guardedTables } from '../../../src/tables.ts'
import { guardTries } from '../../../src/tenancy/guard-probe.ts'

const folder = mkdtempSync(join(tmpdir(), 'tenure-guard-probe-'))
const path = join(folder, 'tenure.db')
migrateSqlite(path, systemClock)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sink = { refused: () => undefined }

/** What the probe says of a database under that guard. */
async function lookUnder(guard: Guard) {
  await using cell = await openSqliteDatabase({
    ...{ path, guard, entities: allCellTables, readers: 1, maxWaitingReads: 10, writerTurn: createWriterTurn() },
  })
  const probe = guardProbe(guardTries(cell, cellTables))
  const failures: unknown[] = []
  const result = await runProbe(
    probe,
    systemClock,
    async () => undefined,
    (_probe, error) => void failures.push(error),
  )
  expect(failures).toEqual([])
  return result
}

test('a guard that enforces passes, on every table and at both doors', async () => {
  const result = await lookUnder(await createGuard({ dialect: 'sqlite', tables: guardedTables(), sink }))
  expect(result).toMatchObject({ outcome: 'PASSED', findingCount: 0 })
  expect(result.checkedCount).toBeGreaterThan(cellTables.length * 2 * 4 - 1)
})

test('a guard that lets everything pass is found at every door', async () => {
  const enforcing = await createGuard({ dialect: 'sqlite', tables: guardedTables(), sink })
  const open: Guard = {
    ...enforcing,
    check: () => undefined,
    checkText: () => undefined,
    toBindable: (params) => enforcing.toBindable(params),
  }
  const result = await lookUnder(open)
  expect(result.outcome).toBe('FAILED')
  // Only what the engine refuses by itself is not found: SQLite takes no write from a reader.
  expect(result.findings.map(({ subject }) => subject)).toEqual(expect.arrayContaining(['users', 'secrets', 'journal']))
})

test('a table that the guard was never told of is found', async () => {
  const tables = guardedTables()
  const forgotten = {
    ...tables,
    tenantTables: new Map([...tables.tenantTables].map(([name, pins]) => [name, name === 'secrets' ? [] : pins])),
  }
  const result = await lookUnder(await createGuard({ dialect: 'sqlite', tables: forgotten, sink }))
  expect(result.outcome).toBe('FAILED')
  expect(new Set(result.findings.map(({ subject }) => subject))).toEqual(new Set(['secrets']))
})
