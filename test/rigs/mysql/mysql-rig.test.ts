import { type Connection, createConnection, type QueryError } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openFaultProxy } from '../tcp-fault-proxy.ts'
import { isCommit, mysqlErrorPacket } from './mysql-packets.ts'
import { type MysqlRig, startMysql } from './start-mysql.ts'

let mysql: MysqlRig

beforeAll(async () => {
  mysql = await startMysql()
  await mysql.createDatabase('rig')
  await mysql.query('CREATE TABLE rig.kept (id int PRIMARY KEY)')
})

afterAll(() => mysql[Symbol.asyncDispose]())

beforeEach(async () => {
  await mysql.query('DELETE FROM rig.kept')
})

const connectTo = ({ host, port }: { host: string; port: number }) =>
  createConnection({ host, port, user: mysql.user, password: mysql.password, database: 'rig' })

async function kept(): Promise<number[]> {
  return (await mysql.query('SELECT id FROM rig.kept ORDER BY id')).map(({ id }) => id)
}

/** Answers what COMMIT failed with; undefined: it did not. */
async function insertAndCommit(connection: Connection, id: number): Promise<QueryError | undefined> {
  await connection.query('START TRANSACTION')
  await connection.execute('INSERT INTO kept VALUES (?)', [id])
  return connection.query('COMMIT').then(
    () => undefined,
    (error: QueryError) => error,
  )
}

test('what was committed before a kill is there after the next start, and what was not is gone', async () => {
  const connection = await connectTo(mysql)
  expect(await insertAndCommit(connection, 1)).toBeUndefined()
  await connection.query('START TRANSACTION')
  await connection.query('INSERT INTO kept VALUES (2)')
  const lost = new Promise((resolve) => connection.on('error', resolve))
  const { port } = mysql
  await mysql.kill()
  expect(mysql.pid).toBeUndefined()
  await lost
  await mysql.start()
  expect(mysql.port).toBe(port)
  expect(await kept()).toEqual([1])
})

test('a commit cut before the server is not made, one cut behind it is', async () => {
  await using proxy = await openFaultProxy(mysql)
  for (const [id, when] of [
    [1, 'before'],
    [2, 'after'],
  ] as const) {
    const connection = await connectTo(proxy)
    connection.on('error', () => undefined)
    proxy.cutWhen((bytes, direction) => (direction === 'toServer' && isCommit(bytes) ? when : undefined))
    expect((await insertAndCommit(connection, id))?.code).toBe('ECONNRESET')
  }
  expect(await kept()).toEqual([2])
})

test('an error of the server can be made up', async () => {
  await using proxy = await openFaultProxy(mysql)
  await using connection = await connectTo(proxy)
  proxy.replyWith(isCommit, () => mysqlErrorPacket(1, 1213, '40001', 'Deadlock found'))
  const failure = await insertAndCommit(connection, 1)
  expect(failure).toMatchObject({ errno: 1213, code: 'ER_LOCK_DEADLOCK', sqlState: '40001', message: 'Deadlock found' })
  await connection.query('ROLLBACK')
  expect(await kept()).toEqual([])
})

test('a commit is known among other packets, with attributes and without, and nothing else is taken for one', () => {
  const packet = (payload: string) => Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), Buffer.from(payload)])
  const other = packet('\x03\0\x01SELECT 1')
  for (const commit of ['\x03COMMIT', '\x03\0\x01COMMIT', '\x03\0\x01commit']) {
    expect(isCommit(packet(commit)), commit).toBe(true)
    expect(isCommit(Buffer.concat([other, packet(commit), other])), commit).toBe(true)
  }
  for (const not of ["\x03SELECT 'COMMIT'", '\x16COMMIT', '\x03COMMITTED', '', '\x03']) {
    expect(isCommit(packet(not)), not).toBe(false)
  }
})
