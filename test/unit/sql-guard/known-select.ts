import { type Condition, type Draw, pinned, type Table, tables, unpinned } from './known-conditions.ts'

/** A statement with the answer it must get. `pinsAt` are the parameters the proof rests on. */
export interface KnownStatement {
  readonly sql: string
  readonly params: readonly string[]
  readonly tenantPins: readonly number[]
  readonly workspacePins: readonly number[]
  /** Undefined: it must pass. */
  readonly refusal: 'unpinned-tenant' | 'unpinned-workspace' | undefined
}

/** What stands between two joined references. */
interface Reference {
  readonly alias: string
  readonly table: Table
  readonly join: '' | 'JOIN' | 'LEFT JOIN'
  readonly on: Condition | undefined
}

/** Texts and their parameters one after the other; the places of pins move with the parameters before them. */
export function glue(...parts: readonly (string | Condition)[]): Condition {
  let sql = ''
  const params: string[] = []
  const pins: Condition['pins'][number][] = []
  for (const part of parts) {
    if (typeof part === 'string') {
      sql += part
      continue
    }
    sql += part.sql
    for (const pin of part.pins) pins.push({ ...pin, parameters: pin.parameters.map((at) => at + params.length) })
    params.push(...part.params)
  }
  return { sql, params, pins }
}

/** A select over one to three tables: where each of its pins stands is drawn, and so is whether it is one. */
export function drawSelect(draw: Draw, prefix = '', output?: string): KnownStatement {
  const references = drawReferences(draw, prefix)
  const first = references[0]?.alias ?? ''
  const where = drawWhere(draw, references)
  const text = glue(
    `SELECT ${output ?? draw.pick([`${first}.id`, `${first}.id, ${first}.visits`, `COUNT(1)`, `DISTINCT ${first}.id`])} FROM `,
    ...references.flatMap(({ alias, table, join, on }) => [
      join === '' ? `${table.name} ${alias}` : ` ${join} ${table.name} ${alias} ON `,
      ...(on === undefined ? [] : [on]),
    ]),
    ...(where === undefined ? [] : [' WHERE ', where]),
  )
  return answered(text, references)
}

function drawReferences(draw: Draw, prefix: string): Reference[] {
  const count = draw.pick([1, 1, 1, 2, 2, 3])
  const references: Reference[] = []
  for (let n = 0; n < count; n += 1) {
    const alias = `${prefix}${'abc'[n] ?? 'z'}`
    const table = draw.pick(tables)
    const join = n === 0 ? '' : draw.pick(['JOIN', 'LEFT JOIN'] as const)
    const earlier = references.map((reference) => reference.alias)
    const place = join === 'LEFT JOIN' ? alias : undefined
    const on = n === 0 ? undefined : drawCondition(draw, alias, earlier, table, place)
    references.push({ alias, table, join, on })
  }
  return references
}

/** The key of one reference, in one of the ways that prove it or of those that do not. */
function drawCondition(
  draw: Draw,
  alias: string,
  others: readonly string[],
  table: Table,
  outerJoinOf: string | undefined,
): Condition {
  // Mostly honest: of statements that are wrong in every part nothing is learnt.
  const parts = table.pins.map((column) =>
    draw.chance(0.85) ? pinned(draw, alias, others, column, outerJoinOf) : unpinned(draw, alias, column),
  )
  return glue(...parts.flatMap((part, at) => (at === 0 ? [part] : [' AND ', part])))
}

function drawWhere(draw: Draw, references: readonly Reference[]): Condition | undefined {
  const aliases = references.map(({ alias }) => alias)
  const parts = references
    .filter(({ join }) => join === '' || draw.chance(0.3))
    .map(({ alias, table }, at) => drawCondition(draw, alias, at === 0 ? [] : aliases.slice(0, at), table, undefined))
  if (draw.chance(0.3)) parts.push({ sql: `${aliases[0]}.visits > ?`, params: ['x'], pins: [] })
  if (draw.chance(0.03)) return undefined
  return glue(...parts.flatMap((part, at) => (at === 0 ? [part] : [' AND ', part])))
}

/** The answer, by rounds: a key equal to one that is pinned is pinned too, where its condition holds for the reference. */
function answered(text: Condition, references: readonly Reference[]): KnownStatement {
  const usedBy = { tenant_id: new Set<number>(), workspace_id: new Set<number>() }
  const missing = (['tenant_id', 'workspace_id'] as const).filter((column) => {
    const known = new Set<string>()
    const demanding = references.filter(({ table }) => table.pins.includes(column)).map(({ alias }) => alias)
    for (const _ of references) {
      for (const pin of text.pins) {
        if (pin.column !== column) continue
        const sides = [
          { target: pin.alias, source: pin.other },
          ...(pin.other === undefined ? [] : [{ target: pin.other, source: pin.alias }]),
        ]
        for (const { target, source } of sides) {
          if (!demanding.includes(target) || (source !== undefined && !known.has(source))) continue
          if (pin.outerJoinOf !== undefined && pin.outerJoinOf !== target) continue
          known.add(target)
          for (const at of pin.parameters) usedBy[column].add(at)
        }
      }
    }
    return demanding.some((alias) => !known.has(alias))
  })
  return {
    sql: text.sql,
    params: text.params,
    tenantPins: [...usedBy.tenant_id],
    workspacePins: [...usedBy.workspace_id],
    refusal: refusalOf(missing),
  }
}

export function refusalOf(missing: readonly string[]): KnownStatement['refusal'] {
  if (missing.includes('tenant_id')) return 'unpinned-tenant'
  return missing.includes('workspace_id') ? 'unpinned-workspace' : undefined
}

/** Statements that hold others: proven if each of them is. */
export function together(...parts: readonly (string | KnownStatement)[]): KnownStatement {
  let sql = ''
  const params: string[] = []
  const tenantPins: number[] = []
  const workspacePins: number[] = []
  const missing: string[] = []
  for (const part of parts) {
    if (typeof part === 'string') {
      sql += part
      continue
    }
    sql += part.sql
    tenantPins.push(...part.tenantPins.map((at) => at + params.length))
    workspacePins.push(...part.workspacePins.map((at) => at + params.length))
    params.push(...part.params)
    if (part.refusal !== undefined) missing.push(part.refusal === 'unpinned-tenant' ? 'tenant_id' : 'workspace_id')
  }
  return { sql, params, tenantPins, workspacePins, refusal: refusalOf(missing) }
}
