import type { TenantBinding } from '../../sql-guard/guard-types.ts'
import { isGivenName } from '../../sql-guard/syntax-node.ts'
import type { TenantGuard } from './tenant-guard.ts'
import type { TenantTable } from './tenant-tables.ts'

type Value = string | number | bigint | boolean | Date | Uint8Array | null

/** Columns and what they have to be: a value, NULL, or one of a list. */
export type Where = Readonly<Record<string, Value | readonly Value[]>>
export type Values = Readonly<Record<string, Value>>

export interface FindRows {
  readonly where?: Where
  /** Left out: all of them. */
  readonly columns?: readonly string[]
  readonly orderBy?: Readonly<Record<string, 'asc' | 'desc'>>
  readonly limit?: number
}

/** Where the statements run. */
interface Runner {
  query<Result>(sql: string, values: readonly unknown[]): Promise<[Result, unknown]>
}

interface Fragment {
  readonly sql: string
  readonly values: readonly unknown[]
}

const maxRows = 1_000

/**
 * The rows of one table in one place. Every statement has the predicate, or the key columns, of that place; names come
 * from the code and are checked, values are always bound.
 */
export class TenantRows<Row> {
  readonly #runner: Runner
  readonly #table: string
  readonly #place: Values
  readonly #quote: string

  constructor(guard: TenantGuard, binding: TenantBinding, runner: Runner, table: string) {
    const owned = Object.hasOwn(guard.tables, table) ? guard.tables[table] : undefined
    if (owned === undefined) throw new TypeError(`${table} is not among the tables of this guard`)
    this.#quote = guard.dialect === 'mysql' ? '`' : '"'
    this.#runner = runner
    this.#table = table
    this.#place = placeOf(owned, binding)
  }

  async find({ where = {}, columns, orderBy = {}, limit }: FindRows = {}): Promise<Row[]> {
    const chosen = columns === undefined ? '*' : columns.map((name) => this.#name(name)).join(', ')
    const condition = this.#condition(where)
    const order = Object.entries(orderBy).map(
      ([name, direction]) => `${this.#name(name)} ${direction === 'desc' ? 'DESC' : 'ASC'}`,
    )
    if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
      throw new TypeError('limit has to be a whole number')
    }
    const tail = `${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`}${limit === undefined ? '' : ` LIMIT ${limit}`}`
    const sql = `SELECT ${chosen} FROM ${this.#name(this.#table)} WHERE ${condition.sql}${tail}`
    const [rows] = await this.#runner.query<Row[]>(sql, condition.values)
    return rows
  }

  async findOne(where: Where, columns?: readonly string[]): Promise<Row | undefined> {
    const [row] = await this.find({ where, limit: 1, ...(columns === undefined ? {} : { columns }) })
    return row
  }

  async count(where: Where = {}): Promise<number> {
    const condition = this.#condition(where)
    const sql = `SELECT COUNT(*) AS found FROM ${this.#name(this.#table)} WHERE ${condition.sql}`
    const [rows] = await this.#runner.query<readonly { readonly found: number | string | bigint }[]>(
      sql,
      condition.values,
    )
    return Number(rows[0]?.found)
  }

  /** Rows of this place: their key columns are filled in. Answers how many there are now more. */
  async insert(rows: Values | readonly Values[]): Promise<number> {
    const list = Array.isArray(rows) ? (rows as readonly Values[]) : [rows as Values]
    const [first] = list
    if (first === undefined || list.length > maxRows) throw new TypeError(`insert takes 1 to ${maxRows} rows`)
    const given = Object.keys(first)
    for (const row of list) {
      if (Object.keys(row).join() !== given.join()) throw new TypeError('all rows of an insert have the same columns')
    }
    const names = [...Object.keys(this.#place), ...given.map((name) => this.#free(name))]
    const marks = `(${names.map(() => '?').join(', ')})`
    const into = `${this.#name(this.#table)} (${names.map((name) => this.#name(name)).join(', ')})`
    const values = list.flatMap((row) => [...Object.values(this.#place), ...Object.values(row)])
    return this.#affected(`INSERT INTO ${into} VALUES ${list.map(() => marks).join(', ')}`, values)
  }

  /** Answers how many rows matched. */
  async update(where: Where, changes: Values): Promise<number> {
    const entries = Object.entries(changes)
    if (entries.length === 0) throw new TypeError('update changes at least one column')
    const assigned = entries.map(([name]) => `${this.#name(this.#free(name))} = ?`).join(', ')
    const condition = this.#condition(demanded(where))
    const sql = `UPDATE ${this.#name(this.#table)} SET ${assigned} WHERE ${condition.sql}`
    return this.#affected(sql, [...entries.map(([, value]) => value), ...condition.values])
  }

  /** Answers how many rows are gone. */
  async delete(where: Where): Promise<number> {
    const condition = this.#condition(demanded(where))
    return this.#affected(`DELETE FROM ${this.#name(this.#table)} WHERE ${condition.sql}`, condition.values)
  }

  async #affected(sql: string, values: readonly unknown[]): Promise<number> {
    const [header] = await this.#runner.query<{ readonly affectedRows: number }>(sql, values)
    return header.affectedRows
  }

  #condition(where: Where): Fragment {
    const pins = Object.entries(this.#place).map(([name, value]) => ({
      sql: `${this.#name(name)} = ?`,
      values: [value],
    }))
    const others = Object.entries(where).map(([name, value]) => fragmentOf(this.#name(this.#free(name)), value))
    const all: readonly Fragment[] = [...pins, ...others]
    return { sql: all.map(({ sql }) => sql).join(' AND '), values: all.flatMap(({ values }) => values) }
  }

  /** A column the caller may name: the key is the context's alone. */
  #free(name: string): string {
    if (Object.hasOwn(this.#place, name)) throw new TypeError(`${name} comes from the context`)
    return name
  }

  #name(name: string): string {
    if (!isGivenName(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a column`)
    return `${this.#quote}${name}${this.#quote}`
  }
}

function placeOf({ tenant, workspace }: TenantTable, { tenantId, workspaceId, allWorkspaces }: TenantBinding): Values {
  const ofWorkspace = workspace === undefined || allWorkspaces ? {} : { [workspace]: workspaceId }
  return { [tenant]: tenantId, ...ofWorkspace }
}

function fragmentOf(name: string, value: Where[string]): Fragment {
  if (value === undefined) throw new TypeError(`the value of ${name} is undefined: leave it out, or write null`)
  if (value === null) return { sql: `${name} IS NULL`, values: [] }
  if (!Array.isArray(value)) return { sql: `${name} = ?`, values: [value] }
  // One of nothing is nothing, and no engine takes an empty list.
  if (value.length === 0) return { sql: '1 = 0', values: [] }
  return { sql: `${name} IN (${value.map(() => '?').join(', ')})`, values: value }
}

/** An empty condition on a write is a variable that was undefined more often than a wish to change everything. */
function demanded(where: Where): Where {
  if (Object.keys(where).length === 0) throw new TypeError('say which rows: a write needs a condition')
  return where
}
