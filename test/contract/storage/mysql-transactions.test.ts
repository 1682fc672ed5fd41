import { afterAll, beforeAll, expect, test } from 'vitest'
import { nilUuid } from '../../../src/base/ids.ts'
import type { GuardBinding } from '../../../src/sql-guard/guard-types.ts'
import type { Written } from '../../../src/storage/database.ts'
import { isCommit, mysqlErrorPacket } from '../../rigs/mysql/mysql-packets.ts'
import { askForTransactions } from '../../support/ask-for-transactions.ts'
import { type MysqlCell, openMysqlCell } from './mysql-cell.ts'

type Manager = Parameters<Parameters<MysqlCell['cell']['read']>[1]>[0]

let rig: MysqlCell

beforeAll(async () => {
  rig = await openMysqlCell()
})

afterAll(() => rig[Symbol.asyncDispose]())

const tenantId = '018f0000-0000-7000-8000-00000000000a'
const bound: GuardBinding = { kind: 'tenant', tenantId, workspaceId: nilUuid, allWorkspaces: false }

/** A chain row: the smallest thing a tenant can have. */
function insertChain(manager: Manager, chain: string): Promise<unknown> {
  const sql = 'INSERT INTO audit_chains (tenant_id, chain, sequence, chain_hash) VALUES (?, ?, ?, ?)'
  return manager.query(sql, [tenantId, chain, 1, Buffer.alloc(32)])
}

function write(chain: string, settling: Partial<Written<string>> = {}): Promise<string> {
  return rig.cell.write(bound, async (manager) => {
    await insertChain(manager, chain)
    return { value: chain, keep: true, ...settling }
  })
}

const wasCommitted = (chain: string) => async (manager: Manager) =>
  (await manager.query('SELECT chain FROM audit_chains WHERE tenant_id = ? AND chain = ?', [tenantId, chain])).length >
  0

async function stored(chain: string): Promise<number> {
  return (await rig.sql('SELECT chain FROM audit_chains WHERE chain = ?', [chain])).length
}

/** A text no connection has prepared yet, so that it is seen on the network. */
function readFresh(manager: Manager, name: string): Promise<unknown> {
  return manager.query(`SELECT chain AS ${name} FROM audit_chains WHERE tenant_id = ?`, [tenantId])
}

function failWith(name: string, code: number, times: number): void {
  rig.network.replyWith(
    (bytes) => bytes.includes(name),
    (bytes) => mysqlErrorPacket((bytes[3] ?? 0) + 1, code, 'HY000', 'made up'),
    { times },
  )
}

function commitOf(bytes: Buffer, direction: string): boolean {
  return direction === 'toServer' && isCommit(bytes)
}

test('two units that deadlock are both done: the loser is run again, whole', async () => {
  await write('left')
  await write('right')
  const update = (manager: Manager, chain: string) =>
    manager.query('UPDATE audit_chains SET sequence = sequence + ? WHERE tenant_id = ? AND chain = ?', [
      ...[1, tenantId, chain],
    ])
  let runs = 0
  const both = Promise.withResolvers<void>()
  const unit = (first: string, second: string) =>
    rig.cell.write(bound, async (manager) => {
      runs += 1
      await update(manager, first)
      if (runs === 2) both.resolve()
      await both.promise
      await update(manager, second)
      return { value: undefined, keep: true }
    })
  await Promise.all([unit('left', 'right'), unit('right', 'left')])
  expect(runs).toBe(3)
  const rows = await rig.sql("SELECT sequence FROM audit_chains WHERE chain IN ('left', 'right')")
  expect(rows.map(({ sequence }) => Number(sequence))).toEqual([3, 3])
})

test('a lock that is waited for in vain rolls the whole unit back, not its last statement, and runs it again', async () => {
  await write('held')
  let runs = 0
  const release = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const holder = rig.cell.write(bound, async (manager) => {
    await manager.query('SELECT sequence FROM audit_chains WHERE tenant_id = ? AND chain = ? FOR UPDATE', [
      ...[tenantId, 'held'],
    ])
    locked.resolve()
    await release.promise
    return { value: undefined, keep: true }
  })
  await locked.promise
  const waiter = rig.cell.write(bound, async (manager) => {
    runs += 1
    if (runs === 2) release.resolve()
    await insertChain(manager, `half-${runs}`)
    await manager.query('UPDATE audit_chains SET sequence = ? WHERE tenant_id = ? AND chain = ?', [7, tenantId, 'held'])
    return { value: undefined, keep: true }
  })
  await Promise.all([holder, waiter])
  expect(runs).toBe(2)
  expect([await stored('half-1'), await stored('half-2')]).toEqual([0, 1])
})

test('code that overlooks a deadlock cannot go on and commit half of its unit', async () => {
  failWith('fresh_deadlock', 1213, 4)
  const overlooking = rig.cell.write(bound, async (manager) => {
    await readFresh(manager, 'fresh_deadlock').catch(() => undefined)
    await insertChain(manager, 'other-half')
    return { value: undefined, keep: true }
  })
  await expect(overlooking).rejects.toMatchObject({ reason: 'DATABASE_UNAVAILABLE' })
  expect(await stored('other-half')).toBe(0)
})

test('a connection cut before COMMIT reaches the server leaves nothing, and the unit is run again', async () => {
  rig.network.cutWhen((bytes, direction) => (commitOf(bytes, direction) ? 'before' : undefined))
  await expect(write('cut-before', { wasCommitted: wasCommitted('cut-before') })).resolves.toBe('cut-before')
  expect(await stored('cut-before')).toBe(1)
})

test('a COMMIT whose answer is lost is found to be made, and the unit is not run again', async () => {
  let runs = 0
  rig.network.cutWhen((bytes, direction) => (commitOf(bytes, direction) ? 'after' : undefined))
  const value = await rig.cell.write(bound, async (manager) => {
    runs += 1
    await insertChain(manager, 'cut-after')
    return { value: runs, keep: true, wasCommitted: wasCommitted('cut-after') }
  })
  expect([value, runs, await stored('cut-after')]).toEqual([1, 1, 1])
})

test('a COMMIT whose fate nobody can find out is told as unknown, with what to do', async () => {
  rig.network.cutWhen((bytes, direction) => (commitOf(bytes, direction) ? 'after' : undefined))
  const unknown = write('fate-unknown')
  await expect(unknown).rejects.toMatchObject({ reason: 'DATABASE_UNAVAILABLE', retryAfterMs: 1_000 })
  await expect(unknown).rejects.toThrow(/may or may not have been made.*request_id/)
})

test.each([1290, 1836])(
  'a read-only answer (%i) ends the connection, and the unit is run again on another',
  async (code) => {
    const chain = `read-only-${code}`
    failWith(`fresh_${code}`, code, 1)
    let runs = 0
    await rig.cell.write(bound, async (manager) => {
      runs += 1
      await insertChain(manager, chain)
      await readFresh(manager, `fresh_${code}`)
      return { value: undefined, keep: true }
    })
    expect([runs, await stored(chain)]).toEqual([2, 1])
  },
)

test('a unit that takes longer than a head may be locked is ended at the server, and its locks are free', async () => {
  await write('long')
  const lock = 'SELECT sequence FROM audit_chains WHERE tenant_id = ? AND chain = ? FOR UPDATE'
  let runs = 0
  const long = rig.cell.write(bound, async (manager) => {
    runs += 1
    await manager.query(lock, [tenantId, 'long'])
    if (runs === 1) await new Promise((resolve) => setTimeout(resolve, 5_600))
    await manager.query(lock, [tenantId, 'long'])
    return { value: undefined, keep: true }
  })
  await long
  expect(runs).toBe(2)
  const open =
    'SELECT id FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE()'
  const left = await askForTransactions(() => rig.sql(open))
  expect(left).toEqual([])
})

test('a database that swallows everything fails a write in its time, and is used again when it answers', async () => {
  rig.network.swallow(true)
  const startMs = performance.now()
  await expect(write('swallowed')).rejects.toMatchObject({ reason: 'DATABASE_UNAVAILABLE' })
  expect(performance.now() - startMs).toBeLessThan(12_000)
  rig.network.swallow(false)
  rig.network.cutAll()
  await new Promise((resolve) => setTimeout(resolve, 300))
  await expect(write('after-swallowing')).resolves.toBe('after-swallowing')
})
