import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConnectionLost, ReadOnlyServer, UnfitServer } from '../../../src/storage/mysql/mysql-errors.ts'
import { connectionOptionsOf } from '../../../src/storage/mysql/mysql-server.ts'
import { openSession } from '../../../src/storage/mysql/mysql-session.ts'
import {
  type SessionKind,
  settingsStatement,
  verificationStatement,
  verifySettings,
} from '../../../src/storage/mysql/session-settings.ts'
import { type MysqlCell, openMysqlCell } from './mysql-cell.ts'

let rig: MysqlCell

beforeAll(async () => {
  rig = await openMysqlCell()
})

afterAll(() => rig[Symbol.asyncDispose]())

/** What a server answers that took everything over. */
async function takenOver(kind: SessionKind): Promise<Record<string, unknown>> {
  await using connection = await createConnection(connectionOptionsOf(rig.server))
  await connection.query(settingsStatement(kind))
  const [rows] = await connection.query<RowDataPacket[]>(verificationStatement)
  return rows[0] ?? {}
}

describe.each(['read', 'write'] as const)('a session to %s', (kind) => {
  test('is refused for any one setting that the server did not take over', async () => {
    const row = await takenOver(kind)
    expect(() => verifySettings(kind, row, 1)).not.toThrow()
    const settings = [...settingsStatement(kind).matchAll(/SESSION (\w+) = /g)].map(([, name]) => name ?? '')
    expect(settings.length).toBeGreaterThan(14)
    for (const name of settings) {
      expect(() => verifySettings(kind, { ...row, [name]: 'other' }, 1), name).toThrow(UnfitServer)
      expect(() => verifySettings(kind, { ...row, [name]: undefined }, 1), name).toThrow(UnfitServer)
    }
    const weaker = String(row.sql_mode).replace('STRICT_ALL_TABLES,', '')
    expect(() => verifySettings(kind, { ...row, sql_mode: weaker }, 1)).toThrow(UnfitServer)
    expect(() => verifySettings(kind, { ...row, sql_mode: `${String(row.sql_mode)},ANSI_QUOTES` }, 1)).toThrow(
      UnfitServer,
    )
  })

  test('is refused by a server that is too old, or another product', async () => {
    const row = await takenOver(kind)
    expect(() => verifySettings(kind, { ...row, version: '8.0.36' }, 1)).toThrow(UnfitServer)
    expect(() => verifySettings(kind, { ...row, comment: 'mariadb.org binary distribution' }, 1)).toThrow(UnfitServer)
  })
})

test('a session that writes is refused by a server that is read-only, or would lose commits in a crash', async () => {
  const row = await takenOver('write')
  const reading = await takenOver('read')
  expect(() => verifySettings('write', { ...row, read_only: 1 }, 1)).toThrow(ReadOnlyServer)
  expect(() => verifySettings('write', { ...row, super_read_only: 1 }, 1)).toThrow(ReadOnlyServer)
  expect(() => verifySettings('write', { ...row, flush_log: 2 }, 1)).toThrow(UnfitServer)
  // A replica may be read from; whether it is fresh the heartbeat says.
  expect(() => verifySettings('read', { ...reading, read_only: 1, super_read_only: 1 }, 1)).not.toThrow()
})

test('a session that reads cannot write, whatever runs on it', async () => {
  const session = await openSession(rig.server, 'read')
  const write = "INSERT INTO feed_heartbeats (replica, instance_id, beat, beat_time) VALUES ('x', 'x', 1, NOW(3))"
  await expect(session.run(write, [], 1_000)).rejects.toMatchObject({ errno: 1792 })
  expect(session.ended).toBe(true)
})

test('a session that writes commits nothing that was not committed', async () => {
  const session = await openSession(rig.server, 'write')
  const write = "INSERT INTO feed_heartbeats (replica, instance_id, beat, beat_time) VALUES ('y', 'y', 1, NOW(3))"
  await session.run(write, [], 1_000)
  await session.end()
  expect(await rig.sql("SELECT beat FROM feed_heartbeats WHERE replica = 'y'")).toEqual([])
})

test('the driver never reads a file of this machine for the server, nor runs two statements in one text', async () => {
  const connection = await createConnection(connectionOptionsOf(rig.server))
  await expect(connection.query('SELECT 1; SELECT 2')).rejects.toMatchObject({ errno: 1064 })
  await expect(connection.query("LOAD DATA LOCAL INFILE 'any.csv' INTO TABLE feed_heartbeats")).rejects.toThrow()
  await connection.end()
})

test('no statement outlives its time: the session ends, and the database is told to end it too', async () => {
  const session = await openSession(rig.server, 'read')
  const startMs = performance.now()
  await expect(session.run('SELECT SLEEP(30)', [], 200)).rejects.toThrow(ConnectionLost)
  expect(performance.now() - startMs).toBeLessThan(2_000)
  expect([session.ended, session.abandoned]).toEqual([true, true])
})
