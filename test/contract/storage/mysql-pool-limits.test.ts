import { afterEach, beforeEach, expect, test } from 'vitest'
import type { GuardBinding } from '../../../src/sql-guard/guard-types.ts'
import { isCommit, mysqlErrorPacket } from '../../rigs/mysql/mysql-packets.ts'
import { type MysqlCell, type MysqlCellOptions, openMysqlCell } from './mysql-cell.ts'

type Manager = Parameters<Parameters<MysqlCell['cell']['read']>[1]>[0]

let rig: MysqlCell | undefined

/** Small, so that every limit is near. */
const limits: MysqlCellOptions = { readers: 3, writers: 1, maxWaiting: 2 }

beforeEach(async () => {
  rig = await openMysqlCell(limits)
})

afterEach(() => rig?.[Symbol.asyncDispose]())

function opened(): MysqlCell {
  if (rig === undefined) throw new Error('not opened')
  return rig
}

const bound: GuardBinding = { kind: 'platform', purpose: 'change-feed' }

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function read(name: string, ms = 0): Promise<unknown> {
  return opened().cell.read(bound, async (manager) => {
    const rows: unknown = await manager.query(`SELECT beat AS ${name} FROM feed_heartbeats`)
    await sleep(ms)
    return rows
  })
}

function beat(manager: Manager, replica: string): Promise<unknown> {
  const sql = 'INSERT INTO feed_heartbeats (replica, instance_id, beat, beat_time) VALUES (?, ?, ?, ?)'
  return manager.query(sql, [replica, 'i', 1, new Date()])
}

async function stored(): Promise<string[]> {
  const rows = await opened().sql('SELECT replica FROM feed_heartbeats ORDER BY replica')
  return rows.map(({ replica }) => String(replica))
}

test('while the server refuses new connections, every read is done with the sessions that live', async () => {
  const { network } = opened()
  await Promise.all([read('warm', 100), read('warm', 100), read('warm', 100)])
  network.refuse(true)
  // One is lost, and no other can be had for it.
  network.cutWhen((bytes) => (bytes.includes('is_cut') ? 'before' : undefined))
  await expect(read('is_cut')).resolves.toEqual([])
  for (let count = 0; count < 10; count += 1) {
    await expect(read('warm')).resolves.toEqual([])
    await sleep(30)
  }
})

test('a COMMIT without an answer is found to be made though the pool is full, and is never told as not done', async () => {
  const { cell, network } = opened()
  const others: Promise<unknown>[] = []
  const hold = async () => {
    await sleep(100)
    return { value: undefined, keep: false }
  }
  /** Takes every place in the queue, and is turned away where there is none. */
  const crowd = () => void others.push(cell.write(bound, hold).catch(() => undefined))
  let crowding: NodeJS.Timeout | undefined
  network.cutWhen((bytes, direction) => (direction === 'toServer' && isCommit(bytes) ? 'after' : undefined))
  const answer = cell.write(bound, async (manager) => {
    await beat(manager, 'kept')
    crowding = setInterval(crowd, 1)
    setTimeout(() => clearInterval(crowding), 700)
    await sleep(50)
    return { value: 'made', keep: true, wasCommitted: async () => true }
  })
  await expect(answer).resolves.toBe('made')
  expect(await stored()).toEqual(['kept'])
  await Promise.all(others)
})

test.each(['COMMIT', 'ROLLBACK'])(
  'a statement sent behind %s is refused, and the next borrower commits nothing of it',
  async (end) => {
    const { cell, network } = opened()
    const kept = end === 'COMMIT'
    let stray: Promise<unknown> | undefined
    const first = cell.write(bound, async (manager) => {
      await beat(manager, 'first')
      // The end of the transaction is on its way while another branch of the unit goes on.
      network.hold(true)
      stray = sleep(100).then(() => beat(manager, 'stray'))
      stray.catch(() => undefined)
      setTimeout(() => network.hold(false), 300)
      if (!kept) throw new Error('one of two failed')
      return { value: undefined, keep: true }
    })
    await (kept ? first : expect(first).rejects.toThrow('one of two failed'))
    await expect(stray).rejects.toThrow()
    await cell.write(bound, async (manager) => {
      await beat(manager, 'second')
      return { value: undefined, keep: true }
    })
    expect(await stored()).toEqual(kept ? ['first', 'second'] : ['second'])
  },
)

test.each(['read', 'write'] as const)(
  'a server that takes no more prepared statements makes a %s something to repeat',
  async (kind) => {
    const { cell, network } = opened()
    network.replyWith(
      (bytes) => bytes.includes('too_many'),
      (bytes) => mysqlErrorPacket((bytes[3] ?? 0) + 1, 1461, '42000', 'Can’t create more'),
      { times: 20 },
    )
    const ask = (manager: Manager) => manager.query('SELECT beat AS too_many FROM feed_heartbeats WHERE beat > ?', [1])
    const asked =
      kind === 'read'
        ? cell.read(bound, ask)
        : cell.write(bound, async (manager) => ({ value: await ask(manager), keep: true }))
    await expect(asked).rejects.toMatchObject({
      ...{ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE', retryAfterMs: 500 },
    })
  },
)
