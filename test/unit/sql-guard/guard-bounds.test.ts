import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { createGuard, type Guard } from '../../../src/sql-guard/guard.ts'
import { guardRefusalIn } from '../../../src/sql-guard/guard-refusal.ts'
import { TABLES, TENANT_BINDING } from './corpus-binding.ts'

const guard: Guard = await createGuard({ dialect: 'sqlite', tables: TABLES, sink: { refused: () => {} } })

function reasonOf(act: () => void): string | undefined {
  try {
    act()
  } catch (error) {
    return guardRefusalIn(error)?.reason ?? String(error)
  }
  return undefined
}

describe('bounds', () => {
  test('a text beyond the limit is refused unread, a deep or wide one is judged or refused without harm', () => {
    const long = `SELECT id FROM members WHERE tenant_id = ? AND id IN (${'?, '.repeat(300_000)}?)`
    expect(reasonOf(() => guard.checkText(long, TENANT_BINDING))).toBe('too-long')
    const keys = Array.from({ length: 390 }, () => '(tenant_id = ? AND id = ?)').join(' OR ')
    expect(reasonOf(() => guard.checkText(`SELECT id FROM members WHERE ${keys}`, TENANT_BINDING))).toBeUndefined()
    const rows = Array.from({ length: 1_000 }, () => '(?, ?, ?)').join(', ')
    expect(
      reasonOf(() => guard.checkText(`INSERT INTO members (tenant_id, id, name) VALUES ${rows}`, TENANT_BINDING)),
    ).toBeUndefined()
  })

  const LINKS = [
    ' OR a',
    ' AND a',
    ' = a',
    ' IS NULL',
    ' + a',
    ' IN (1)',
    ' LIKE a',
    ' BETWEEN a AND a',
    ' OR (a = b AND c = d)',
  ]
  const SHELLS: (readonly [string, string])[] = [
    ['(', ')'],
    ['EXISTS (SELECT 1 FROM members m WHERE ', ')'],
    ['COUNT(', ')'],
    ['NOT (', ')'],
  ]

  test.each(LINKS.flatMap((link) => SHELLS.map(([open, close]) => ({ link, open, close }))))(
    'no nest of "$open" and chains of "$link" that reaches the parser breaks it',
    ({ link, open, close }) => {
      for (const levels of [0, 1, 5, 10, 14, 45]) {
        for (const length of [5, 10, 19, 30, 60, 130, 380, 5_000]) {
          const chain = `a${link.repeat(length)}`
          const wrapped = `${`${chain} OR ${open}`.repeat(levels)}${chain}${close.repeat(levels)}`
          const reason = reasonOf(() => guard.checkText(`SELECT id FROM members WHERE ${wrapped}`, TENANT_BINDING))
          expect(reason).not.toBe('parser-failed')
          if (length === 5_000 || levels > 16) expect(['too-deep', 'too-long']).toContain(reason)
        }
      }
      expect(
        reasonOf(() =>
          guard.checkText(`SELECT id FROM members WHERE tenant_id = ? LIMIT ${link.length}`, TENANT_BINDING),
        ),
      ).toBeUndefined()
    },
  )

  test('chains of unions, joins and selected columns do not break the parser either', () => {
    const branch = 'SELECT m.id FROM members m WHERE m.tenant_id = ? AND m.id = ?'
    for (const length of [3, 300, 6_000]) {
      const union = Array.from({ length }, () => branch).join(' UNION ALL ')
      const reason = reasonOf(() => guard.checkText(union, TENANT_BINDING))
      expect(reason).toBe(length > 400 ? 'too-deep' : undefined)
    }
    const joins = Array.from({ length: 2_000 }, (_, n) => `JOIN roles r${n} ON r${n}.id = ?`).join(' ')
    const columns = Array.from({ length: 5_000 }, () => 'id').join(', ')
    expect(reasonOf(() => guard.checkText(`SELECT m.id FROM members m ${joins}`, TENANT_BINDING))).toBeDefined()
    expect(
      reasonOf(() => guard.checkText(`SELECT ${columns} FROM members WHERE tenant_id = ?`, TENANT_BINDING)),
    ).toBeUndefined()
    expect(reasonOf(() => guard.checkText('SELECT 2', TENANT_BINDING))).toBeUndefined()
  })

  /** Megabytes that are still held when everything else has been let go. */
  function heldAfter(act: () => void): number {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    collect()
    const before = process.memoryUsage().heapUsed
    act()
    collect()
    return (process.memoryUsage().heapUsed - before) / 2 ** 20
  }

  test('verdicts are kept for so many texts and no more, however many are tried', async () => {
    const other = await createGuard({ dialect: 'sqlite', tables: TABLES, sink: { refused: () => {} } })
    const tryMany = (count: number, padding: string) => () => {
      for (let n = 0; n < count; n += 1) reasonOf(() => other.checkText(`; ${n} ${padding}`, TENANT_BINDING))
    }
    expect(heldAfter(tryMany(200_000, ''))).toBeLessThan(4)
    // Few enough by their number, and too many by their length.
    expect(heldAfter(tryMany(1_500, 'x'.repeat(100_000)))).toBeLessThan(30)
  })
})
