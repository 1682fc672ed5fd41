import { describe, expect, test } from 'vitest'
import { bindableFrom } from '../../../src/sql-guard/bindable.ts'
import { bindConnection, bindingOf } from '../../../src/sql-guard/connection-binding.ts'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal, guardRefusalIn, loggableStatement, Unproven } from '../../../src/sql-guard/guard-refusal.ts'
import { isTransactionControl } from '../../../src/sql-guard/transaction-control.ts'
import { DIRECTORY_BINDING, TABLES, TENANT_BINDING } from './corpus-binding.ts'

const guards = {
  sqlite: await createGuard({ dialect: 'sqlite', tables: TABLES, sink: { refused: () => undefined } }),
  mysql: await createGuard({ dialect: 'mysql', tables: TABLES, sink: { refused: () => undefined } }),
}

function reasonOf(sql: string, dialect: 'sqlite' | 'mysql' = 'sqlite'): string | undefined {
  try {
    guards[dialect].checkText(sql, TENANT_BINDING)
    return undefined
  } catch (error) {
    return guardRefusalIn(error)?.reason ?? String(error)
  }
}

function bindable(value: unknown): unknown {
  try {
    return bindableFrom(value)
  } catch (error) {
    return error instanceof Unproven ? error.reason : error
  }
}

describe('a value is bound as it is, or not at all', () => {
  test('whole numbers up to the last that an engine stores', () => {
    for (const value of [2n ** 63n - 1n, -(2n ** 63n)]) expect(bindable(value)).toBe(value)
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) expect(bindable(value)).toBe('parameter-type')
  })

  test('times of the years that every engine stores', () => {
    expect(bindable(new Date('9999-12-31T23:59:59.999Z'))).toBe('9999-12-31 23:59:59.999')
    expect(bindable(new Date('0000-01-01T00:00:00.000Z'))).toBe('0000-01-01 00:00:00.000')
    for (const time of ['+010000-01-01T00:00:00.000Z', '-000001-12-31T23:59:59.999Z']) {
      expect(bindable(new Date(time))).toBe('parameter-type')
    }
    expect(bindable(new Date(Number.NaN))).toBe('parameter-type')
  })

  test('bytes that bring no text of their own', () => {
    const bytes = new Uint8Array([1])
    expect(bindable(bytes)).toBe(bytes)
    expect(bindable(Buffer.from('x'))).toEqual(Buffer.from('x'))
    for (const sly of [
      Object.assign(new Uint8Array([1]), { toSqlString: () => '1' }),
      new Uint16Array([1]),
      [1],
      /x/,
    ]) {
      expect(bindable(sly)).toBe('parameter-type')
    }
    class Sly extends Uint8Array {}
    expect(bindable(new Sly(1))).toBe('parameter-type')
  })

  test('the guard tells what is no value of its own from a failure of its own', () => {
    const failing = {
      get [Symbol.toStringTag]() {
        return 'x'
      },
    }
    expect(() => guards.sqlite.toBindable([failing])).toThrow('a statement parameter has a type that is never bound')
    const trap = new Proxy({}, { getPrototypeOf: () => expect.unreachable('the trap was sprung') })
    expect(() => guards.sqlite.toBindable([trap])).toThrow('the trap was sprung')
  })
})

describe('a connection', () => {
  test('that a later scope has bound keeps its binding when an earlier one lets go again', () => {
    const connection = {}
    const first = bindConnection(connection, TENANT_BINDING)
    first[Symbol.dispose]()
    using _second = bindConnection(connection, DIRECTORY_BINDING)
    first[Symbol.dispose]()
    expect(bindingOf(connection)).toEqual(DIRECTORY_BINDING)
  })
})

describe('what is written down of a refused statement', () => {
  test('has an end, and no value', () => {
    expect(loggableStatement('x'.repeat(5_000), false)).toBe('x'.repeat(4_096))
    expect(loggableStatement("a = 'one' OR b = 'two', 'open", false)).toBe("a = '…' OR b = '…', '…'")
    expect(loggableStatement('a = "one" OR b = "two", "open', true)).toBe('a = "…" OR b = "…", "…"')
    expect(loggableStatement('SELECT "id" FROM "members"', false)).toBe('SELECT "id" FROM "members"')
    expect(loggableStatement('a = 1234 OR b = 123 OR c = 0xDEADBEEF OR d = 12345e6', false)).toBe(
      'a = 0 OR b = 123 OR c = 0 OR d = 0',
    )
  })

  test('is in the refusal, under its own name', () => {
    const refusal = new GuardRefusal('unbound', 'SELECT 1')
    expect(refusal).toMatchObject({ name: 'GuardRefusal', reason: 'unbound', statement: 'SELECT 1' })
    expect(refusal.message).toBe('statement refused by the tenant guard: unbound')
    expect(new Unproven('shape')).toMatchObject({ reason: 'shape', message: 'shape' })
    expect(guardRefusalIn(refusal)).toBe(refusal)
    expect(guardRefusalIn(Object.assign(new Error('x'), { driverError: new Error('y') }))).toBeUndefined()
    expect(guardRefusalIn({ driverError: refusal })).toBeUndefined()
    expect(guardRefusalIn(undefined)).toBeUndefined()
  })
})

describe('transaction control', () => {
  const texts = {
    sqlite: ['BEGIN', 'BEGIN IMMEDIATE', 'BEGIN TRANSACTION', 'BEGIN IMMEDIATE TRANSACTION', 'COMMIT', 'ROLLBACK'],
    mysql: [
      'BEGIN',
      'START TRANSACTION',
      'START TRANSACTION READ ONLY',
      'START TRANSACTION WITH CONSISTENT SNAPSHOT',
      'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
      'SET TRANSACTION ISOLATION LEVEL READ COMMITTED',
      'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ',
      'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
      'COMMIT',
      'ROLLBACK',
    ],
  } as const
  const savepoints = ['SAVEPOINT', 'RELEASE SAVEPOINT', 'ROLLBACK TO SAVEPOINT'].flatMap((verb) =>
    ['typeorm_1', 'typeorm_9', 'typeorm_10', 'typeorm_99'].map((name) => `${verb} ${name}`),
  )

  test.each(['sqlite', 'mysql'] as const)('is a list of whole texts on %s', (dialect) => {
    const other = dialect === 'sqlite' ? 'mysql' : 'sqlite'
    for (const sql of [...texts[dialect], ...savepoints]) {
      expect(isTransactionControl(sql, dialect), sql).toBe(true)
      for (const near of [` ${sql}`, `${sql} `, `${sql};`, sql.toLowerCase(), `x${sql}`, `${sql}\n`]) {
        expect(isTransactionControl(near, dialect), near).toBe(false)
      }
    }
    for (const sql of texts[other])
      expect(isTransactionControl(sql, dialect), sql).toBe((texts[dialect] as readonly string[]).includes(sql))
    for (const name of ['typeorm_0', 'typeorm_100', 'typeorm_', 'typeorm_1a', 'other', 'typeorm_a']) {
      expect(isTransactionControl(`SAVEPOINT ${name}`, dialect), name).toBe(false)
    }
  })
})

describe('the depth of what is parsed', () => {
  const where = 'SELECT id FROM members WHERE '
  const chained = (links: number, link: string) => `${where}id = ?${link.repeat(links)}`

  test.each([
    [' OR id = ?', 398],
    [' AND id = ?', 398],
    [' + ?', 398],
  ])('is counted to the last link of a chain of "%s"', (link, links) => {
    const [fewest, most] = [links / 2 - 5, links + 3]
    expect(reasonOf(chained(Math.floor(fewest), link))).not.toBe('too-deep')
    expect(reasonOf(chained(most, link))).toBe('too-deep')
  })

  test('is counted over parentheses inside one another', () => {
    const nested = (levels: number) =>
      `SELECT id FROM members WHERE tenant_id = ? AND ${'('.repeat(levels)}id = ?${')'.repeat(levels)}`
    expect(reasonOf(nested(15))).toBeUndefined()
    expect(reasonOf(nested(16))).toBe('too-deep')
  })

  test('is that of what is open, not of what was closed before', () => {
    const closed = Array.from({ length: 300 }, () => '(id = ? OR id = ?)').join(' AND ')
    expect(reasonOf(`SELECT id FROM members WHERE tenant_id = ? AND ${closed}`)).toBeUndefined()
  })

  test('a parenthesis that was never opened is refused as such', () => {
    expect(reasonOf('SELECT id FROM members WHERE tenant_id = ?)')).toBe('unparsable')
  })
})

describe('the length of what is parsed', () => {
  test('is that of the longest honest statement', () => {
    const padded = (length: number) => `SELECT 1${' '.repeat(length - 8)}`
    expect(reasonOf(padded(512 * 1024))).toBeUndefined()
    expect(reasonOf(padded(512 * 1024 + 1))).toBe('too-long')
  })
})

describe('a verdict', () => {
  test('is reached once for a text, and known from then on', () => {
    const rows = Array.from({ length: 1_000 }, () => '(?, ?, ?)').join(', ')
    const sql = `INSERT INTO members (tenant_id, id, name) VALUES ${rows}`
    const millisecondsOf = (): number => {
      const start = process.hrtime.bigint()
      guards.sqlite.checkText(sql, TENANT_BINDING)
      return Number(process.hrtime.bigint() - start) / 1e6
    }
    const first = millisecondsOf()
    const later = Array.from({ length: 9 }, millisecondsOf).sort((a, b) => a - b)[4] ?? Number.NaN
    expect(later).toBeLessThan(first / 5)
  })

  test('of next to nothing is a refusal like any other', () => {
    expect(reasonOf('')).toBe('stacked')
    expect(reasonOf('x')).toBe('unparsable')
  })

  test('tells names by double quotes on SQLite, where they are names', () => {
    const seen = (dialect: 'sqlite' | 'mysql', sql: string) => {
      try {
        guards[dialect].check(sql, [], TENANT_BINDING)
      } catch (error) {
        return guardRefusalIn(error)?.statement
      }
      return undefined
    }
    expect(seen('sqlite', 'SELECT "id" FROM "members"')).toBe('SELECT "id" FROM "members"')
    expect(seen('mysql', 'SELECT "id" FROM "members"')).toBe('SELECT "…" FROM "…"')
  })
})
