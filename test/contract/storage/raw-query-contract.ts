import type { EntityManager } from 'typeorm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nilUuid } from '../../../src/base/ids.ts'
import { GuardRefusal, guardRefusalIn } from '../../../src/sql-guard/guard-refusal.ts'
import type { TenantBinding } from '../../../src/sql-guard/guard-types.ts'
import type { Database } from '../../../src/storage/database.ts'

export interface RawQueryRig extends AsyncDisposable {
  readonly cell: Database
  /** A manager over the real driver and guard where no transaction was begun. */
  outside<T>(kind: 'read' | 'write', binding: TenantBinding, work: (manager: EntityManager) => Promise<T>): Promise<T>
}

const binding: TenantBinding = {
  kind: 'tenant',
  tenantId: '018f0000-0000-7000-8000-00000000000a',
  workspaceId: nilUuid,
  allWorkspaces: false,
}
const place = 'tenant_id = ? AND chain = ?'
const other = '018f0000-0000-7000-8000-00000000000b'

/** Statement, values, and why it must be refused; the same with the predicate passes. */
const reads = [
  ['SELECT * FROM audit_chains', [], 'unpinned-tenant'],
  ['SELECT sequence FROM audit_chains WHERE chain = ?', ['x'], 'unpinned-tenant'],
  ['SELECT sequence FROM audit_chains WHERE tenant_id = ?', [other], 'foreign-tenant'],
] as const
const writes = [
  ['UPDATE audit_chains SET sequence = 9', [], 'unpinned-tenant'],
  ['UPDATE audit_chains SET sequence = 9 WHERE chain = ?', ['x'], 'unpinned-tenant'],
  ['DELETE FROM audit_chains', [], 'unpinned-tenant'],
  ['DELETE FROM audit_chains WHERE tenant_id = ?', [other], 'foreign-tenant'],
  [
    'INSERT INTO audit_chains (chain, sequence, chain_hash) VALUES (?, ?, ?)',
    ['y', 1, Buffer.alloc(32)],
    'unpinned-tenant',
  ],
  [
    'INSERT INTO audit_chains (tenant_id, chain, sequence, chain_hash) VALUES (?, ?, ?, ?)',
    [other, 'y', 1, Buffer.alloc(32)],
    'foreign-tenant',
  ],
] as const

type Run = <T>(work: (manager: EntityManager) => Promise<T>) => Promise<T>

/** What every engine must do alike with SQL that code writes past the scope, straight to TypeORM's manager. */
export function describeRawQueries(engine: string, open: () => Promise<RawQueryRig>): void {
  describe(`a raw query() without the predicate: ${engine}`, () => {
    let rig: RawQueryRig
    beforeAll(async () => {
      rig = await open()
      await insideWrite(rig)((manager) =>
        manager.query('INSERT INTO audit_chains (tenant_id, chain, sequence, chain_hash) VALUES (?, ?, ?, ?)', [
          ...[binding.tenantId, 'x', 1, Buffer.alloc(32)],
        ]),
      )
    })
    afterAll(() => rig?.[Symbol.asyncDispose]())

    const paths: readonly (readonly [string, (rig: RawQueryRig) => Run])[] = [
      ['on the read path inside a transaction', (opened) => (work) => opened.cell.read(binding, work)],
      ['on the write path inside a transaction', insideWrite],
      ['on the read path outside a transaction', (opened) => (work) => opened.outside('read', binding, work)],
      ['on the write path outside a transaction', (opened) => (work) => opened.outside('write', binding, work)],
    ]
    test.each(paths)('is refused %s, and changes nothing', async (_path, runIn) => {
      const run = runIn(rig)
      for (const [sql, params, reason] of [...reads, ...writes]) {
        expect(await refusalOf(() => run((manager) => manager.query(sql, [...params]))), sql).toBe(reason)
      }
      // With its predicate the same way is open, and finds what was there.
      const found = await run((manager) =>
        manager.query(`SELECT sequence FROM audit_chains WHERE ${place}`, [binding.tenantId, 'x']),
      )
      expect(found.map((row: { sequence: unknown }) => Number(row.sequence))).toEqual([1])
    })

    test.each(paths)(
      '%s runs with the values that were judged, whatever a list answers when it is read again',
      async (_path, runIn) => {
        const run = runIn(rig)
        await insideOther(rig)(
          'INSERT INTO audit_chains (tenant_id, chain, sequence, chain_hash) VALUES (?, ?, ?, ?)',
          [...[other, `of ${_path}`, 7, Buffer.alloc(32)]],
        )
        for (const values of [changing([binding.tenantId], [other]), new Turning(binding.tenantId)]) {
          const found = await run((manager) =>
            manager.query('SELECT sequence FROM audit_chains WHERE tenant_id = ?', values),
          ).catch(() => [])
          expect(found.map((row: { sequence: unknown }) => Number(row.sequence))).not.toContain(7)
        }
        const text = {
          length: 47,
          toString: turning('SELECT sequence FROM audit_chains WHERE 1 = 0', 'SELECT sequence FROM audit_chains'),
        }
        expect(await refusalOf(() => run((manager) => manager.query(text as never)))).not.toBe('no refusal')
      },
    )
  })
}

/** A list whose every reading but the first answers other values. */
function changing(first: unknown[], later: unknown[]): unknown[] {
  let read = 0
  return new Proxy(first, {
    get(target, name) {
      if (name === Symbol.iterator || name === 'map') read += 1
      const from = read > 1 ? later : target
      const value: unknown = Reflect.get(from, name)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}

/** A list that answers other values to whoever maps it. */
class Turning extends Array<unknown> {
  override map<U>(change: (value: unknown, index: number, all: unknown[]) => U): U[] {
    return [other].map(change as never)
  }
}

function turning(...texts: readonly string[]): () => string {
  let at = 0
  return () => texts[Math.min(at++, texts.length - 1)] ?? ''
}

function insideOther(rig: RawQueryRig): (sql: string, values: unknown[]) => Promise<unknown> {
  return (sql, values) =>
    rig.cell.write({ ...binding, tenantId: other }, async (manager) => ({
      value: await manager.query(sql, values),
      keep: true,
    }))
}

function insideWrite(rig: RawQueryRig): Run {
  return (work) => rig.cell.write(binding, async (manager) => ({ value: await work(manager), keep: true }))
}

async function refusalOf(act: () => Promise<unknown>): Promise<string> {
  try {
    await act()
    return 'no refusal'
  } catch (error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      const refusal = at instanceof GuardRefusal ? at : guardRefusalIn(at)
      if (refusal !== undefined) return refusal.reason
    }
    return `not a refusal: ${String(error)}`
  }
}
