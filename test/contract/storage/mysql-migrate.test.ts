import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Clock } from '../../../src/base/clock.ts'
import { StartError } from '../../../src/base/start-error.ts'
import { migrations } from '../../../src/storage/migrations/migrations.ts'
import { migrateMysql, mysqlMigrationStatus } from '../../../src/storage/mysql/migrate-mysql.ts'
import { readMysqlSchema } from '../../../src/storage/mysql/mysql-schema.ts'
import type { MysqlServer } from '../../../src/storage/mysql/mysql-server.ts'
import type { Schema } from '../../../src/storage/schema-model.ts'
import { openFaultProxy } from '../../rigs/tcp-fault-proxy.ts'
import { startFakeMysql } from './fake-mysql.ts'
import { createScratchDatabase, type ScratchDatabase, testMysql } from './scratch-database.ts'

const clock: Clock = { nowMs: () => Date.UTC(2026, 10, 22, 1, 2, 3, 456), monotonicMs: () => 0 }
const applyTime = '2026-11-22T01:02:03.456Z'
const all = migrations.map(({ number }) => number)

/** The sentence an operator reads. */
async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof StartError)) throw new Error('no StartError', { cause: error })
  return error.message
}

function at({ server }: ScratchDatabase): string {
  return `${server.host}:${server.port}`
}

describe('migrating', () => {
  test('an empty database gets every migration, once; the status says when', async () => {
    await using scratch = await createScratchDatabase()
    const before = await mysqlMigrationStatus(scratch.server)
    expect(before.map(({ number, applyTime }) => [number, applyTime])).toEqual(all.map((number) => [number, undefined]))
    expect(await scratch.rows('SHOW TABLES')).toEqual([])

    expect(await migrateMysql(scratch.server, clock)).toEqual(all)
    expect(await mysqlMigrationStatus(scratch.server)).toEqual(
      migrations.map(({ number, name, role }) => ({ number, name, role, applyTime })),
    )
    expect(await migrateMysql(scratch.server, clock)).toEqual([])
  })

  test('no connection is left open, whether it went well or not', async () => {
    await using scratch = await createScratchDatabase()
    await migrateMysql(scratch.server, clock)
    await scratch.admin.query("INSERT INTO schema_migrations VALUES (99, 'future', NOW(3))")
    await refusal(migrateMysql(scratch.server, clock))
    await vi.waitFor(async () => expect(await scratch.sessions()).toEqual([]))
  })

  test('a database whose name is as long as MySQL allows is migrated', async () => {
    await using scratch = await createScratchDatabase({ name: `mig_${'x'.repeat(60)}` })
    expect(await migrateMysql(scratch.server, clock)).toEqual(all)
  })

  test('a database that is up to date needs no right to create tables', async () => {
    await using scratch = await createScratchDatabase()
    await migrateMysql(scratch.server, clock)
    const server = await scratch.account('secret', 'SELECT, INSERT, UPDATE, DELETE')
    expect(await migrateMysql(server, clock)).toEqual([])
  })

  test('of several at once each succeeds, and every step is applied once', async () => {
    await using scratch = await createScratchDatabase()
    const answers = await Promise.all([1, 2, 3, 4].map(() => migrateMysql(scratch.server, clock)))
    expect(answers.toSorted((a, b) => b.length - a.length)).toEqual([all, [], [], []])
    const rows = await scratch.rows('SELECT number FROM schema_migrations ORDER BY number')
    expect(rows.map(({ number }) => number)).toEqual(all)
  })
})

function undoOf(statement: string): string {
  const added = /^ALTER TABLE (\w+) ADD COLUMN (\w+)/.exec(statement)
  if (added !== null) return `ALTER TABLE ${added[1]} DROP COLUMN ${added[2]}`
  return `DROP TABLE ${/EXISTS (\w+)/.exec(statement)?.[1]}`
}

describe('a migration that was interrupted', () => {
  let scratch: ScratchDatabase
  let whole: Schema
  beforeAll(async () => {
    scratch = await createScratchDatabase()
    await migrateMysql(scratch.server, clock)
    whole = await readMysqlSchema(scratch)
  })
  afterAll(() => scratch?.[Symbol.asyncDispose]())

  // Before the first statement, after each of them, and so before its number is written.
  test.each(
    migrations.flatMap(({ number, mysql }) => [...mysql.keys(), mysql.length].map((done) => ({ number, done }))),
  )('in $number after $done statements is finished by the next run', async ({ number, done }) => {
    const later = migrations.filter((migration) => migration.number >= number)
    const lost = later.flatMap(({ mysql }, index) => mysql.slice(index === 0 ? done : 0))
    for (const statement of lost.reverse()) await scratch.admin.query(undoOf(statement))
    await scratch.admin.query('DELETE FROM schema_migrations WHERE number >= ?', [number])

    expect(await migrateMysql(scratch.server, clock)).toEqual(later.map((migration) => migration.number))
    expect(await readMysqlSchema(scratch)).toEqual(whole)
  })

  test('by the end of its connection is told in a sentence, and finished by the next run', async () => {
    await using held = await createScratchDatabase()
    const { server, admin } = held
    await admin.query(
      'CREATE TABLE schema_migrations (number int PRIMARY KEY, name varchar(63), apply_time datetime(3))',
    )
    // The tables of migration 1 can be made, its number not be written.
    await admin.query('LOCK TABLES schema_migrations READ')
    const interrupted = refusal(migrateMysql(server, clock))
    const [session] = await vi.waitFor(async () => {
      const waiting = await held.sessions('Waiting for table metadata lock')
      expect(waiting).toHaveLength(1)
      return waiting
    })
    await admin.query(`KILL ${session}`)
    expect(await interrupted).toContain(`database ${server.database} at ${at(held)} was lost`)
    await admin.query('UNLOCK TABLES')
    const status = await mysqlMigrationStatus(server)
    expect(status.map(({ applyTime }) => applyTime)).toEqual(all.map(() => undefined))
    expect(await held.rows("SHOW TABLES LIKE 'sealed_keys'")).toHaveLength(1)
    expect(await migrateMysql(server, clock)).toEqual(all)
  })
})

describe('a database that is not migrated', () => {
  test('one of a newer program is refused, and left as it is', async () => {
    await using scratch = await createScratchDatabase()
    await migrateMysql(scratch.server, clock)
    const future = migrations.length + 1
    await scratch.admin.query("INSERT INTO schema_migrations VALUES (?, 'future', NOW(3))", [future])
    expect(await refusal(migrateMysql(scratch.server, clock))).toBe(
      `The database is at schema ${future}, newer than this program knows (${migrations.length}). Start the newer version.`,
    )
  })

  test.each([
    ['tables', 'CREATE TABLE orders (id int PRIMARY KEY)'],
    ['a table of migrations of its own', 'CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY)'],
    ['a view', 'CREATE VIEW orders AS SELECT 1 AS id'],
  ])('one in which another program has %s is refused, and left as it is', async (_, statement) => {
    await using scratch = await createScratchDatabase()
    await scratch.admin.query(statement)
    const before = await readMysqlSchema(scratch)
    const sentence = `The database ${scratch.server.database} at ${at(scratch)} holds tables of another program; it is not a Tenure database. Choose another, or an empty one.`
    expect(await refusal(migrateMysql(scratch.server, clock))).toBe(sentence)
    expect(await refusal(mysqlMigrationStatus(scratch.server))).toBe(sentence)
    expect(await readMysqlSchema(scratch)).toEqual(before)
  })

  test('one that another process has been migrating for too long', async () => {
    await using scratch = await createScratchDatabase()
    await scratch.admin.query('DO GET_LOCK(?, 0)', [`tenure-migrate:${scratch.server.database}`])
    const late = refusal(migrateMysql(scratch.server, clock, { turnSeconds: 1 }))
    expect(await late).toMatch(/^Another process has been migrating the database mig_\w+ at \S+ for 1 seconds\./)
    // Whoever has the time finds its turn when the other has finished.
    const patient = migrateMysql(scratch.server, clock)
    await scratch.admin.query('DO RELEASE_LOCK(?)', [`tenure-migrate:${scratch.server.database}`])
    expect(await patient).toEqual(all)
  })
})

describe('a server that cannot be used is told in one sentence, without user, password and words of the driver', () => {
  const tls = { ca: undefined, certificate: undefined, privateKey: undefined }

  async function told(server: MysqlServer): Promise<string> {
    const [sentence, same] = await Promise.all([
      refusal(migrateMysql(server, clock)),
      refusal(mysqlMigrationStatus(server)),
    ])
    expect(same).toBe(sentence)
    expect(sentence).toContain(`${server.host}:${server.port}`)
    expect(sentence).toContain(server.database)
    expect(sentence).not.toMatch(/hunter2|mig_[0-9a-f]{12}'|ER_|using password|\n/)
    return sentence
  }

  test('nobody listens', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    expect(await told({ ...testMysql(), port, database: 'tenure' })).toMatch(/^Nothing listens at /)
  })

  test('nobody knows the name', async () => {
    const server = { ...testMysql(), host: 'nowhere.invalid', database: 'tenure' }
    expect(await told(server)).toMatch(/^The name nowhere\.invalid cannot be resolved/)
  })

  test('it does not answer', async () => {
    const mute = createServer().listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const { port } = mute.address() as AddressInfo
    expect(await told({ ...testMysql(), port, database: 'tenure' })).toContain('did not answer in time')
    mute.close()
  })

  test('user or password are wrong, or TLS is demanded of the user', async () => {
    await using scratch = await createScratchDatabase()
    const server = await scratch.account('hunter2', 'ALL')
    expect(await told({ ...server, password: 'hunter2-' })).toContain('refused the user or the password')
    expect(await told({ ...server, user: 'nobody_hunter2' })).toContain('refused the user or the password')
    expect(await told(await scratch.account('hunter2', 'ALL', 'REQUIRE SSL'))).toContain('that demands TLS')
  })

  test('the user is locked, or its password has expired', async () => {
    await using scratch = await createScratchDatabase()
    const sentence = /is locked, or its password has expired/
    expect(await told(await scratch.account('hunter2', 'ALL', 'ACCOUNT LOCK'))).toMatch(sentence)
    expect(await told(await scratch.account('hunter2', 'ALL', 'PASSWORD EXPIRE'))).toMatch(sentence)
  })

  test('the user has no right to the database, or not all that it takes', async () => {
    await using scratch = await createScratchDatabase()
    expect(await told(await scratch.account('hunter2'))).toContain('does not let this user into the database')
    const reader = await scratch.account('hunter2', 'SELECT')
    expect(await refusal(migrateMysql(reader, clock))).toMatch(
      /Grant it SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON mig_\w+\.\*\.$/,
    )
  })

  test('there is no such database', async () => {
    const server = { ...testMysql(), database: 'mig_not_there' }
    expect(await told(server)).toMatch(
      /^There is no database mig_not_there .* Create it \(CREATE DATABASE `mig_not_there`\)/,
    )
  })

  test.each([
    ['8.0.36', 'Source distribution', / is MySQL 8\.0\.36, which is too old\. Use MySQL 8\.4 or newer/],
    ['8.4.0', 'mariadb.org binary distribution', / is MariaDB, which differs .*\. Use MySQL 8\.4 or newer/],
  ])('it says that it is %s (%s)', async (version, comment, sentence) => {
    await using fake = await startFakeMysql({ version, comment })
    expect(await told({ ...testMysql(), port: fake.port, database: 'tenure' })).toMatch(sentence)
  })

  test('it leaves between two statements', async () => {
    await using fake = await startFakeMysql({ version: '8.4.0', comment: '', afterwards: 'leaves' })
    expect(await told({ ...testMysql(), port: fake.port, database: 'tenure' })).toContain('was lost')
  })

  test('it stops answering', async () => {
    await using fake = await startFakeMysql({ version: '8.4.0', comment: '', afterwards: 'mute' })
    expect(await told({ ...testMysql(), port: fake.port, database: 'tenure' })).toContain('did not answer in time')
  })

  test('it stops answering whoever has the turn', async () => {
    await using scratch = await createScratchDatabase()
    await using network = await openFaultProxy(scratch.server)
    network.replyWith(
      (bytes) => bytes.includes('information_schema'),
      () => {
        network.swallow(true)
        return Buffer.alloc(0)
      },
    )
    const { host, port } = network
    expect(await refusal(migrateMysql({ ...scratch.server, host, port }, clock))).toContain('did not answer in time')
  })

  test('it offers no TLS', async () => {
    await using fake = await startFakeMysql({ version: '8.4.0', comment: '' })
    expect(await told({ ...testMysql(), port: fake.port, database: 'tenure', tls })).toContain('offers no TLS')
  })

  test('its certificate is not one that is trusted', async () => {
    expect(await told({ ...testMysql(), database: 'mysql', tls })).toMatch(/^No TLS with /)
  })
})
