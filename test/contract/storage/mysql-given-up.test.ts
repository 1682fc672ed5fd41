import { afterAll, beforeAll, expect, test } from 'vitest'
import { nilUuid } from '../../../src/base/ids.ts'
import type { GuardBinding } from '../../../src/sql-guard/guard-types.ts'
import { withNamedLock } from '../../../src/storage/mysql/named-lock.ts'
import { openFaultProxy } from '../../rigs/tcp-fault-proxy.ts'
import { mysqlAdministrator } from '../../support/test-database.ts'
import { type MysqlCell, openMysqlCell } from './mysql-cell.ts'

let rig: MysqlCell

beforeAll(async () => {
  rig = await openMysqlCell()
})

afterAll(() => rig[Symbol.asyncDispose]())

const tenantId = '018f0000-0000-7000-8000-00000000000b'
const bound: GuardBinding = { kind: 'tenant', tenantId, workspaceId: nilUuid, allWorkspaces: false }

/** Head locks are held no longer than this. */
const lifetimeMs = 5_000

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Resolves when somebody else could have the lock. */
async function untilFree(): Promise<void> {
  const lock = 'SELECT sequence FROM audit_chains WHERE tenant_id = ? FOR UPDATE NOWAIT'
  for (;;) {
    const isFree = await rig.sql(lock, [tenantId]).then(
      () => true,
      () => false,
    )
    if (isFree) return
    await sleep(20)
  }
}

test.concurrent('a unit whose statement hangs at the server is ended there, and answered, within the time it may live', async () => {
  await rig.sql('INSERT INTO audit_chains (tenant_id, chain, sequence, chain_hash) VALUES (?, ?, ?, ?)', [
    ...[tenantId, 'hangs', 1, Buffer.alloc(32)],
  ])
  // Runs on when its client has left; only a KILL ends it at once.
  await rig.sql(
    'CREATE TRIGGER hang BEFORE UPDATE ON audit_chains FOR EACH ROW IF NEW.sequence = 77 THEN DO SLEEP(20); END IF',
  )
  const update = 'UPDATE audit_chains SET sequence = ? WHERE tenant_id = ?'
  const locked = Promise.withResolvers<number>()
  let runs = 0
  const unit = rig.cell.write(bound, async (manager) => {
    runs += 1
    if (runs > 1) throw new Error('run again')
    await manager.query(update, [2, tenantId])
    locked.resolve(performance.now())
    await sleep(3_500)
    await manager.query(update, [77, tenantId])
    return { value: undefined, keep: true }
  })
  unit.catch(() => undefined)
  const lockedMs = await locked.promise
  await untilFree()
  expect(performance.now() - lockedMs).toBeLessThan(lifetimeMs + 500)
  await expect(unit).rejects.toThrow('run again')
  expect(performance.now() - lockedMs).toBeLessThan(lifetimeMs + 1_500)
  expect(await rig.sql('SELECT sequence FROM audit_chains WHERE tenant_id = ?', [tenantId])).toEqual([{ sequence: 1 }])
})

test.concurrent('a start whose lock is lost fails: what two began at once is not taken for done by both', async () => {
  let inside = 0
  const work = async (ms: number) => {
    inside += 1
    await sleep(ms)
    return inside
  }
  // Not the one of the other test, which must not lose its connections.
  await using network = await openFaultProxy(mysqlAdministrator())
  const server = { ...rig.server, port: network.port }
  const first = withNamedLock(server, 'start', 1_000, () => work(8_000))
  first.catch(() => undefined)
  while (inside === 0) await sleep(10)
  expect(await withNamedLock(server, 'start', 0, () => work(0))).toBeUndefined()
  network.cutAll()
  await expect(withNamedLock(server, 'start', 3_000, () => work(0))).resolves.toEqual({ value: 2 })
  await expect(first).rejects.toThrow()
})
