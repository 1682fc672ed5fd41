import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createConnection } from 'mysql2/promise'
import { nilUuid } from '../../src/base/ids.ts'
import { silentLog } from '../../src/observe/log.ts'
import { UserTable } from '../../src/people/user-table.ts'
import { createRuntime } from '../../src/server.ts'
import { createGuard, type Guard } from '../../src/sql-guard/guard.ts'
import type { GuardBinding, GuardDialect } from '../../src/sql-guard/guard-types.ts'
import { openStorage } from '../../src/storage-parts.ts'
import { guardedTables } from '../../src/tables.ts'
import { createRows } from '../../src/tenancy/rows.ts'
import { startMysql } from '../rigs/mysql/start-mysql.ts'
import { testCodes } from '../support/test-codes.ts'
import { testConfig } from '../support/test-server.ts'
import { everyBinding, readRecorded, valuesOf } from '../unit/sql-guard/recorded-corpus.ts'
import { readOptions } from './bench-run.ts'
import { circumstances, printCircumstances, printTable, quantile } from './bench-table.ts'

// What the guard adds to every statement, over what the stores really say: with the verdict known, as it is after the
// first time, and with the text judged anew. Beside it, in the same run, a bare look-up of the text in a Map, and the
// cheapest real query that there is: a prepared read of one row by its primary key.

const goalMicros = 2
const goalPercent = 3
const rounds = 31

interface Case {
  readonly sql: string
  readonly params: readonly string[]
  readonly binding: GuardBinding | undefined
}

interface Figures {
  readonly dialect: GuardDialect
  readonly statements: number
  readonly lookUpMicros: number
  readonly knownMicros: number
  readonly rebuiltLookUpMicros: number
  readonly rebuiltMicros: number
  readonly judgedMicros: number
  /** The engine's own time for a row by its primary key. */
  readonly readMicros: number
  readonly percentOfRead: number
  /** The same row found by a store: a snapshot of its own, and TypeORM's part. */
  readonly foundMicros: number
}

interface Reads {
  readonly readMicros: number
  readonly foundMicros: number
}

function casesOf(dialect: GuardDialect): Case[] {
  return readRecorded(dialect).flatMap(({ sql, parameters, ran }) =>
    ran.map((name) => ({ sql, params: valuesOf(parameters), binding: everyBinding.get(name) })),
  )
}

/** Microseconds for one of `count` things that `once` does; the median of many rounds. */
function microsOf(count: number, once: () => void): number {
  once()
  const micros = Array.from({ length: rounds }, () => {
    const start = process.hrtime.bigint()
    once()
    return Number(process.hrtime.bigint() - start) / 1_000 / count
  })
  return quantile(micros, 0.5)
}

/** The same text in a string of its own, as an ORM builds it for each query: its hash is not known yet. */
function rebuilt(cases: readonly Case[]): Case[] {
  return cases.map((each) => ({ ...each, sql: Buffer.from(each.sql).toString('latin1') }))
}

async function measure(dialect: GuardDialect, { readMicros, foundMicros }: Reads): Promise<Figures> {
  const open = (verdictCacheSize: number): Promise<Guard> =>
    createGuard({ dialect, tables: guardedTables(), sink: { refused: () => undefined }, verdictCacheSize })
  const guard = await open(2_000)
  const forgetful = await open(1)
  const cases = casesOf(dialect)
  const repeats = 20
  const known = new Map(cases.map(({ sql }) => [sql, sql.length]))
  let found = 0
  const lookUp = (all: readonly Case[]): void => {
    for (const { sql } of all) found += known.get(sql) ?? 0
  }
  const check = (with_: Guard, all: readonly Case[]): void => {
    for (const { sql, params, binding } of all) {
      with_.check(sql, params, binding)
      with_.toBindable(params)
    }
  }
  const many = (act: () => void) => () => {
    for (let n = 0; n < repeats; n += 1) act()
  }
  // Each copy is used once: after that its hash is known.
  const copies = Array.from({ length: 2 * (rounds + 1) }, () => rebuilt(cases))
  const next = (): readonly Case[] => copies.pop() ?? []
  const knownMicros = microsOf(
    cases.length * repeats,
    many(() => check(guard, cases)),
  )
  const figures = {
    dialect,
    statements: cases.length,
    lookUpMicros: microsOf(
      cases.length * repeats,
      many(() => lookUp(cases)),
    ),
    knownMicros,
    rebuiltLookUpMicros: microsOf(cases.length, () => lookUp(next())),
    rebuiltMicros: microsOf(cases.length, () => check(guard, next())),
    judgedMicros: microsOf(cases.length, () => check(forgetful, cases)),
    readMicros,
    foundMicros,
  }
  if (found === 0) throw new Error('nothing was looked up')
  return { ...figures, percentOfRead: (100 * figures.rebuiltMicros) / readMicros }
}

const schema =
  'CREATE TABLE users (tenant_id VARCHAR(36), user_id VARCHAR(36), name VARCHAR(64), PRIMARY KEY (tenant_id, user_id))'
const read = 'SELECT tenant_id, user_id, name FROM users WHERE tenant_id = ? AND user_id = ?'
const rows = 1_000
const rowOf = (at: number): string[] => ['019a0000-0000-7000-8000-000000000001', `user-${at}`, `name ${at}`]

async function readOnSqlite(): Promise<Reads> {
  const database = new DatabaseSync(':memory:')
  database.exec(schema)
  for (let at = 0; at < rows; at += 1) database.prepare('INSERT INTO users VALUES (?, ?, ?)').run(...rowOf(at))
  const statement = database.prepare(read)
  const readMicros = microsOf(rows, () => {
    for (let at = 0; at < rows; at += 1) statement.get(...rowOf(at).slice(0, 2))
  })
  return { readMicros, foundMicros: await findOnSqlite() }
}

/** A row by its key as a store finds it, in a file. */
async function findOnSqlite(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-bench-guard-'))
  try {
    const config = testConfig(folder)
    await using storage = await openStorage(config, createRuntime(config, { log: silentLog }))
    const tenantId = rowOf(0)[0] ?? ''
    const binding = { kind: 'tenant', tenantId, workspaceId: nilUuid, allWorkspaces: false } as const
    const codes = testCodes()
    const find = () =>
      storage.cell.read(binding, (manager) =>
        createRows(manager, UserTable, {
          place: { tenantId },
          idProperty: 'userId',
          touched: () => undefined,
          codes,
        }).find({
          userId: 'none',
        }),
      )
    return await microsAwaited(find)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function microsAwaited(once: () => Promise<unknown>): Promise<number> {
  const micros: number[] = []
  for (let round = 0; round < 5; round += 1) {
    const start = process.hrtime.bigint()
    for (let at = 0; at < rows; at += 1) await once()
    micros.push(Number(process.hrtime.bigint() - start) / 1_000 / rows)
  }
  return quantile(micros, 0.5)
}

async function readOnMysql(): Promise<Reads> {
  await using mysql = await startMysql()
  const { host, port, user } = mysql
  const connection = await createConnection({ host, port, user })
  try {
    await connection.query('CREATE DATABASE bench')
    await connection.query('USE bench')
    await connection.query(schema)
    for (let at = 0; at < rows; at += 1) await connection.execute('INSERT INTO users VALUES (?, ?, ?)', rowOf(at))
    const readMicros = await microsAwaited(() => connection.execute(read, rowOf(rows >> 1).slice(0, 2)))
    return { readMicros, foundMicros: Number.NaN }
  } finally {
    await connection.end()
  }
}

const { json } = readOptions({})
const all = [await measure('sqlite', await readOnSqlite()), await measure('mysql', await readOnMysql())]
if (json) process.stdout.write(`${JSON.stringify({ ...circumstances(), goalMicros, goalPercent, all })}\n`)
else {
  printCircumstances()
  const row = (name: string, pick: (figures: Figures) => number): (string | number)[] => [name, ...all.map(pick)]
  printTable(
    ['µs a statement', ...all.map(({ dialect, statements }) => `${dialect} (${statements})`)],
    [
      row('a look-up in a Map', (figures) => figures.lookUpMicros),
      row('the guard, verdict known', (figures) => figures.knownMicros),
      row('a look-up, text built anew', (figures) => figures.rebuiltLookUpMicros),
      row('the guard, text built anew', (figures) => figures.rebuiltMicros),
      row('the guard, verdict unknown', (figures) => figures.judgedMicros),
      row('a prepared read of one row', (figures) => figures.readMicros),
      row('the guard in % of that read', (figures) => figures.percentOfRead),
      row('a row found by a store', (figures) => figures.foundMicros),
      row('the guard in % of that', (figures) => (100 * figures.rebuiltMicros) / figures.foundMicros),
    ],
  )
  for (const { dialect, rebuiltMicros, percentOfRead } of all) {
    const told = `${dialect}: ${rebuiltMicros.toFixed(2)} µs of ${goalMicros}, ${percentOfRead.toFixed(1)} % of ${goalPercent}\n`
    process.stdout.write(told)
  }
}
