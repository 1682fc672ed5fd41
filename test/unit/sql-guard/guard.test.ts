import { describe, expect, test } from 'vitest'
import { bindableFrom } from '../../../src/sql-guard/bindable.ts'
import { bindConnection, bindingOf } from '../../../src/sql-guard/connection-binding.ts'
import { createGuard, type Guard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal, type GuardSink, guardRefusalIn } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardBinding } from '../../../src/sql-guard/guard-types.ts'
import {
  ALL_WORKSPACES_BINDING,
  DIRECTORY_BINDING,
  OTHER_TENANT,
  T,
  TABLES,
  TENANT_BINDING,
  W,
} from './corpus-binding.ts'

type Refusal = Parameters<GuardSink['refused']>[0]

const refusals: Refusal[] = []
const guard: Guard = await createGuard({
  dialect: 'sqlite',
  tables: TABLES,
  sink: { refused: (refusal) => refusals.push(refusal) },
})
const mysqlGuard: Guard = await createGuard({ dialect: 'mysql', tables: TABLES, sink: { refused: () => {} } })

function reasonOf(act: () => void): string | undefined {
  try {
    act()
  } catch (error) {
    return guardRefusalIn(error)?.reason ?? String(error)
  }
  return undefined
}

const READ = 'SELECT id FROM members WHERE tenant_id = ? AND id = ?'

describe('a cached verdict', () => {
  test('is compared with each context and each value anew', () => {
    const other: GuardBinding = { ...TENANT_BINDING, kind: 'tenant', tenantId: OTHER_TENANT } as GuardBinding
    for (let round = 0; round < 3; round += 1) {
      expect(reasonOf(() => guard.check(READ, [T, 'm1'], TENANT_BINDING))).toBeUndefined()
      expect(reasonOf(() => guard.check(READ, [T, 'm1'], other))).toBe('foreign-tenant')
      expect(reasonOf(() => guard.check(READ, [OTHER_TENANT, 'm1'], other))).toBeUndefined()
      expect(reasonOf(() => guard.check(READ, [OTHER_TENANT, 'm1'], TENANT_BINDING))).toBe('foreign-tenant')
      expect(reasonOf(() => guard.check(READ, [T, 'm1'], DIRECTORY_BINDING))).toBe('platform-table')
      expect(reasonOf(() => guard.check(READ, [T, {}], TENANT_BINDING))).toBe('parameter-type')
      expect(reasonOf(() => guard.check(READ, [T], TENANT_BINDING))).toBe('parameter-count')
      expect(reasonOf(() => guard.check(READ, [T, 'm1'], undefined))).toBe('unbound')
    }
  })

  test('of a workspace table serves one workspace and all of them with different answers', () => {
    const sql = 'SELECT id FROM notes WHERE tenant_id = ?'
    expect(reasonOf(() => guard.check(sql, [T], ALL_WORKSPACES_BINDING))).toBeUndefined()
    expect(reasonOf(() => guard.check(sql, [T], TENANT_BINDING))).toBe('unpinned-workspace')
    expect(reasonOf(() => guard.check(sql, [T], ALL_WORKSPACES_BINDING))).toBeUndefined()
  })

  test('that was evicted is reached again by judging the text again', async () => {
    const small = await createGuard({
      dialect: 'sqlite',
      tables: TABLES,
      sink: { refused: () => {} },
      verdictCacheSize: 2,
    })
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 5; n += 1) {
        const sql = `SELECT id FROM members WHERE tenant_id = ? LIMIT ${n}`
        expect(reasonOf(() => small.check(sql, [T], TENANT_BINDING))).toBeUndefined()
        expect(reasonOf(() => small.check(`SELECT id FROM members LIMIT ${n}`, [], TENANT_BINDING))).toBe(
          'unpinned-tenant',
        )
      }
    }
  })
})

describe('a connection without a context', () => {
  test('may only roll back', () => {
    expect(reasonOf(() => guard.check('ROLLBACK', [], undefined))).toBeUndefined()
    for (const sql of ['BEGIN', 'COMMIT', 'SELECT 1', 'ROLLBACK;', 'rollback', 'ROLLBACK TO SAVEPOINT typeorm_1']) {
      expect(reasonOf(() => guard.check(sql, [], undefined))).toBe('unbound')
    }
  })

  test('has no context left over once its binding is disposed, and none but its own', () => {
    const [first, second] = [{}, {}]
    {
      using _bound = bindConnection(first, TENANT_BINDING)
      expect(bindingOf(first)).toEqual(TENANT_BINDING)
      expect(bindingOf(second)).toBeUndefined()
      expect(() => bindConnection(first, DIRECTORY_BINDING)).toThrow('already bound')
    }
    expect(bindingOf(first)).toBeUndefined()
  })

  test('a binding cannot be changed by whoever handed it in', () => {
    const mine = { kind: 'tenant', tenantId: T, workspaceId: W, allWorkspaces: false } as const
    const handed = { ...mine }
    const connection = {}
    using _bound = bindConnection(connection, handed)
    Object.assign(handed, { tenantId: OTHER_TENANT })
    expect(bindingOf(connection)).toEqual(mine)
  })
})

describe('transaction control', () => {
  const SQLITE = ['BEGIN', 'BEGIN IMMEDIATE', 'BEGIN TRANSACTION', 'COMMIT', 'ROLLBACK']
  const MYSQL = [
    'START TRANSACTION',
    'START TRANSACTION READ ONLY',
    'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
    'SET TRANSACTION ISOLATION LEVEL READ COMMITTED',
    'COMMIT',
    'ROLLBACK',
  ]
  const SAVEPOINTS = ['SAVEPOINT typeorm_1', 'RELEASE SAVEPOINT typeorm_12', 'ROLLBACK TO SAVEPOINT typeorm_3']

  test.each([...SQLITE, ...SAVEPOINTS])('%s passes on SQLite under a context', (sql) => {
    expect(reasonOf(() => guard.check(sql, [], TENANT_BINDING))).toBeUndefined()
  })

  test.each([...MYSQL, ...SAVEPOINTS])('%s passes on MySQL under a context', (sql) => {
    expect(reasonOf(() => mysqlGuard.check(sql, [], TENANT_BINDING))).toBeUndefined()
  })

  test.each([...SQLITE, ...MYSQL, ...SAVEPOINTS].map((sql) => `${sql} `))(
    '"%s" with one character more is refused',
    (sql) => {
      expect(reasonOf(() => guard.check(sql, [], TENANT_BINDING))).toBeDefined()
      expect(reasonOf(() => mysqlGuard.check(sql, [], TENANT_BINDING))).toBeDefined()
    },
  )
})

describe('parameters', () => {
  test('are converted to the one stored form before a driver sees them', () => {
    const blob = new Uint8Array([1, 2])
    expect(guard.toBindable(['a', 1, 2n, true, null, blob])).toEqual(['a', 1, 2n, true, null, blob])
    expect(guard.toBindable([new Date(Date.UTC(2026, 10, 22, 1, 2, 3, 45))])).toEqual(['2026-11-22 01:02:03.045'])
  })

  test('a Date or Buffer that brings its own methods writes nothing of its own into the statement', () => {
    const date = Object.assign(new Date(0), { toISOString: () => "' OR 1=1", toSqlString: () => '1 OR 1' })
    expect(bindableFrom(date)).toBe('1970-01-01 00:00:00.000')
    const buffer = Object.assign(Buffer.from('x'), { toSqlString: () => '1 OR 1' })
    expect(reasonOf(() => guard.check(READ, [T, buffer], TENANT_BINDING))).toBe('parameter-type')
    class Sly extends Date {}
    expect(reasonOf(() => guard.check(READ, [T, new Sly()], TENANT_BINDING))).toBe('parameter-type')
  })

  test.each([undefined, Number.NaN, {}, [], new Date(Number.NaN), Symbol('s')])('%o is never converted', (value) => {
    expect(() => guard.toBindable([value])).toThrow(TypeError)
  })

  test('are checked under the migration binding too', () => {
    const migration = { kind: 'migration' } as const
    expect(reasonOf(() => guard.check('CREATE TABLE x (id TEXT)', [], migration))).toBeUndefined()
    expect(reasonOf(() => guard.check('INSERT INTO x VALUES (?)', [{}], migration))).toBe('parameter-type')
  })
})

describe('a refusal', () => {
  test('tells the sink who asked for what, and names no value', () => {
    refusals.length = 0
    expect(() => guard.check('SELECT id FROM members WHERE id = ?', ['top secret'], TENANT_BINDING)).toThrow(
      GuardRefusal,
    )
    expect(refusals).toEqual([
      { reason: 'unpinned-tenant', statement: 'SELECT id FROM members WHERE id = ?', binding: TENANT_BINDING },
    ])
  })

  test('blanks the literals of a text that carries its values', () => {
    refusals.length = 0
    expect(() =>
      guard.check("SELECT id FROM members WHERE name = 'hunter2' AND pin = 123456", [], TENANT_BINDING),
    ).toThrow()
    expect(refusals[0]?.statement).toBe("SELECT id FROM members WHERE name = '…' AND pin = 0")
    expect(() => mysqlGuard.check('SELECT id FROM members WHERE name = "hunter2', [], TENANT_BINDING)).toThrow(
      expect.objectContaining({ statement: expect.not.stringContaining('hunter2') }),
    )
  })

  test('stands when the sink fails', async () => {
    const failing = {
      refused: () => {
        throw new Error('sink down')
      },
    }
    const unheard = await createGuard({ dialect: 'sqlite', tables: TABLES, sink: failing })
    expect(reasonOf(() => unheard.check('SELECT id FROM members', [], TENANT_BINDING))).toBe('unpinned-tenant')
  })

  test('is found inside the error an ORM wraps it in', () => {
    const refusal = new GuardRefusal('unbound', 'SELECT 1')
    expect(guardRefusalIn(Object.assign(new Error('wrapped'), { driverError: refusal }))).toBe(refusal)
    expect(guardRefusalIn(new Error('other'))).toBeUndefined()
  })
})
