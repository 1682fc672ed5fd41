import type { GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { T, W } from './corpus-binding.ts'
import { type Condition, type Draw, type PinColumn, pinned, type Table, tables, unpinned } from './known-conditions.ts'
import { drawSelect, glue, type KnownStatement, refusalOf, together } from './known-select.ts'

/** A statement of any kind, with the answer it must get. */
export function drawStatement(draw: Draw, dialect: GuardDialect): KnownStatement {
  return draw.pick([drawRead, drawRead, drawRead, drawChange, drawInsert])(draw, dialect)
}

function drawRead(draw: Draw, dialect: GuardDialect): KnownStatement {
  const one = drawSelect(draw)
  switch (draw.below(9)) {
    case 0:
      return together(drawSelect(draw, '', 'a.id'), draw.pick([' UNION ', ' UNION ALL ']), drawSelect(draw, '', 'a.id'))
    case 1:
      return together(
        'SELECT DISTINCT d.id FROM (',
        drawSelect(draw, '', 'a.id AS id'),
        ') d WHERE d.id IS NOT NULL LIMIT 5',
      )
    case 2:
      return together('WITH mine AS (', drawSelect(draw, 'c', 'ca.id AS id'), ') SELECT mine.id FROM mine')
    case 3:
      return together(
        'WITH mine AS (',
        drawSelect(draw, 'c', 'ca.id AS id'),
        ') SELECT mine.id FROM mine WHERE EXISTS (',
        drawSelect(draw, 'e', '1'),
        ')',
      )
    case 4:
    case 5:
      return together(
        'SELECT 1 AS row_exists FROM (SELECT 1 AS dummy) dummy_table WHERE ',
        drawProbe(draw, drawSelect(draw, 'x', 'xa.id')),
      )
    case 6:
      return together('SELECT o.id, (', drawSelect(draw, 's', 'COUNT(1)'), ') AS n FROM ', drawOuter(draw))
    case 7:
      return dialect === 'mysql'
        ? together(one, draw.pick([' FOR UPDATE', ' FOR SHARE', ' FOR UPDATE SKIP LOCKED']))
        : one
    default:
      return one
  }
}

/** The outer half of a select with a sub-select: one table, pinned or not. */
function drawOuter(draw: Draw): KnownStatement {
  const table = draw.pick(tables)
  return filtered(`${table.name} o WHERE `, keysOf(draw, 'o', table))
}

function drawProbe(draw: Draw, probe: KnownStatement): KnownStatement {
  return draw.chance(0.5)
    ? together(draw.pick(['EXISTS (', 'NOT EXISTS (']), probe, ')')
    : together('1 IN (', probe, ')')
}

interface Keys {
  readonly condition: Condition
  readonly missing: readonly PinColumn[]
}

function keysOf(draw: Draw, alias: string, { pins }: Table): Keys {
  const drawn = pins.map((column) => ({ column, honest: draw.chance(0.85) }))
  const parts = drawn.map(({ column, honest }) =>
    honest ? pinned(draw, alias, [], column, undefined) : unpinned(draw, alias, column),
  )
  return {
    condition: glue(...parts.flatMap((part, at) => (at === 0 ? [part] : [' AND ', part]))),
    missing: drawn.filter(({ honest }) => !honest).map(({ column }) => column),
  }
}

function filtered(before: string, { condition, missing }: Keys, params: readonly string[] = []): KnownStatement {
  const text = glue({ sql: before, params, pins: [] }, condition)
  const places = (column: PinColumn) =>
    text.pins.filter((pin) => pin.column === column).flatMap(({ parameters }) => parameters)
  return {
    sql: text.sql,
    params: text.params,
    tenantPins: places('tenant_id'),
    workspacePins: places('workspace_id'),
    refusal: refusalOf(missing),
  }
}

function drawChange(draw: Draw, dialect: GuardDialect): KnownStatement {
  const table = draw.pick(tables)
  const keys = keysOf(draw, table.name, table)
  const change = draw.chance(0.5)
    ? filtered(`UPDATE ${table.name} SET visits = ${table.name}.visits + ? WHERE `, keys, ['1'])
    : filtered(`DELETE FROM ${table.name} WHERE `, keys)
  if (draw.chance(0.3)) return together(change, ' AND ', drawProbe(draw, drawSelect(draw, 'x', 'xa.id')))
  return dialect === 'mysql' && draw.chance(0.2) ? together(change, ` ORDER BY ${table.name}.id LIMIT 3`) : change
}

/** One to four rows; a key that is no bare parameter, or is not named at all, proves nothing. */
function drawInsert(draw: Draw, dialect: GuardDialect): KnownStatement {
  const table = draw.pick(tables)
  const named = table.pins.filter(() => draw.chance(0.95))
  const columns = [...named, 'id', 'visits']
  const missing = new Set<PinColumn>(table.pins.filter((pin) => !named.includes(pin)))
  const params: string[] = []
  const places: Record<PinColumn, number[]> = { tenant_id: [], workspace_id: [] }
  const rows = Array.from({ length: 1 + draw.below(4) }, (_, row) => {
    const cells = named.map((column) => {
      if (draw.chance(0.05)) {
        missing.add(column)
        return draw.pick(dialect === 'mysql' ? ['NULL', "''", '0', 'DEFAULT'] : ['NULL', "''", '0', '-1'])
      }
      places[column].push(params.length)
      params.push(column === 'tenant_id' ? T : W)
      return '?'
    })
    params.push(`new-${row}`)
    return `(${[...cells, '?', draw.pick(['1', '-2', 'NULL'])].join(', ')})`
  })
  const upsert = drawUpsert(draw, dialect, table, missing)
  return {
    sql: `INSERT INTO ${table.name} (${columns.join(', ')}) VALUES ${rows.join(', ')}${upsert}`,
    params,
    tenantPins: places.tenant_id,
    workspacePins: places.workspace_id,
    refusal: refusalOf([...missing]),
  }
}

/** The conflict must be one over the pins; on MySQL no table of these has a key without them. */
function drawUpsert(draw: Draw, dialect: GuardDialect, { pins }: Table, missing: Set<PinColumn>): string {
  if (draw.chance(0.5)) return ''
  if (dialect === 'mysql') {
    return ` ON DUPLICATE KEY UPDATE ${draw.chance(0.3) ? 'tenant_id = VALUES(tenant_id), ' : ''}visits = VALUES(visits)`
  }
  if (draw.chance(0.2)) return ' ON CONFLICT DO NOTHING'
  const target = [...pins, 'id'].filter((column) => column === 'id' || draw.chance(0.9))
  for (const pin of pins) if (!target.includes(pin)) missing.add(pin)
  return ` ON CONFLICT (${target.join(', ')}) DO UPDATE SET ${draw.chance(0.3) ? 'tenant_id = excluded.tenant_id, ' : ''}visits = excluded.visits`
}
