import type { EntityManager, EntityMetadata, EntitySchema, ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import { findRow } from './find-row.ts'
import { insertRows } from './insert-rows.ts'
import { type TableCodes, tableCodes, type UnitCodes } from './unit-codes.ts'
import { type StoredCondition, updateRows } from './update-rows.ts'

/** A condition in SQL over properties of the row, written `row.<property>`, with named parameters of its own. */
export interface Condition {
  readonly sql: string
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface PageQuery {
  readonly conditions: readonly Condition[]
  /** Properties to order by; the last one must be unique within the place, so that a page has one end. */
  readonly orderBy: readonly { readonly property: string; readonly descending: boolean }[]
  readonly limit: number
  /** Properties that are not read: of each row they are undefined. For values too large to be read for nothing. */
  readonly without?: readonly string[]
}

/**
 * The rows of one table that belong to one place. Every statement carries the pins of that place; what a caller passes
 * can only narrow it further.
 */
export interface Rows<Row extends ObjectLiteral> {
  /** Undefined when nothing matches. */
  find(where: Partial<Row>): Promise<Row | undefined>
  /** Undefined also for a row that Tenure did not write, which is told of: for whatever grants or decides by what it reads. */
  findGenuine(where: Partial<Row>): Promise<Row | undefined>
  /** In no particular order; at most `limit`. */
  list(where: Partial<Row>, limit: number): Promise<Row[]>
  /** Every match, in no particular order: for what is compiled or changed whole, never for what a caller pages through. */
  all(where: Partial<Row>): Promise<Row[]>
  /** Every match that Tenure wrote; the others are told of, and left out. */
  allGenuine(where: Partial<Row>): Promise<Row[]>
  /** Whether Tenure wrote the row, read whole from here; one that it did not write is told of, and can only be deleted. */
  isGenuine(row: Row): boolean
  page(query: PageQuery): Promise<Row[]>
  /** A text as it may be compared with the property, in whatever direction, with the same outcome on every engine. */
  comparable(property: string, text: string): string
  count(where: Partial<Row>): Promise<number>
  insert(row: Row): Promise<void>
  insertMany(rows: readonly Row[]): Promise<void>
  /**
   * Whether there was such a row, and one old enough where only such a one is to be changed. A forged row is not changed
   * in anything its code covers: with a code made anew it would be as good as written here.
   */
  update(id: string, changes: Partial<Row>, only?: OlderThan<Row>): Promise<boolean>
  /** Whether there was such a row. */
  delete(id: string): Promise<boolean>
  /** Every match, in one statement; answers how many there were. At least one property must be named. */
  deleteAll(where: Partial<Row>): Promise<number>
}

/** Rows whose number is below a bound: for mirrors that several servers write, where the newest must win. */
export interface OlderThan<Row extends ObjectLiteral> {
  readonly property: keyof Row & string
  readonly below: number
}

/** Rows per INSERT: SQLite and MySQL both take this many times twenty parameters. */
const insertBatch = 100

/** What a write makes of a row: the whole of it where it is inserted, null where it is deleted, undefined where only the database knows. */
export type RowContent = ObjectLiteral | null | undefined

export interface RowsOptions<Row extends ObjectLiteral> {
  /** Pins of the place: part of every statement. Empty for tables of the platform. */
  readonly place: Partial<Row>
  /** The property that tells rows of one place apart. */
  readonly idProperty: string
  /** Hears of every row a write touches: the change log is written from these. */
  readonly touched: (id: string, content: RowContent) => void
  readonly codes: UnitCodes
}

export function createRows<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  { place, idProperty, touched, codes: ofUnit }: RowsOptions<Row>,
): Rows<Row> {
  const codes = tableCodes(table, idProperty, ofUnit)
  const byId = (id: string) => ({ ...place, [idProperty]: id }) as Partial<Row>
  const { select, ...reads } = readsOf(manager, table, place, codes)
  return {
    ...reads,
    async insert(row) {
      await insertRows(manager, table, [codes.withCode(row)])
      touched(String(row[idProperty]), row)
    },
    async insertMany(rows) {
      for (let at = 0; at < rows.length; at += insertBatch) {
        await insertRows(manager, table, rows.slice(at, at + insertBatch).map(codes.withCode))
      }
      for (const row of rows) touched(String(row[idProperty]), row)
    },
    async update(id, given, only) {
      // Who owns a row and which row it is never change; the guard refuses a statement that assigns them.
      const fixed = new Set([...Object.keys(place), idProperty])
      const asked = Object.entries(given).filter(([property, value]) => !fixed.has(property) && value !== undefined)
      const changes = await codes.changesWithCode(id, Object.fromEntries(asked) as Partial<Row>, () =>
        reads.find({ [idProperty]: id } as Partial<Row>),
      )
      const affected = await updateRow(manager, table, byId(id), changes, only)
      touched(id, undefined)
      return affected === 1
    },
    async delete(id) {
      const affected = await deleteRows(manager, table, byId(id))
      touched(id, null)
      return affected === 1
    },
    async deleteAll(where) {
      if (Object.keys(where).length === 0) throw new Error(`every row of ${table.options.name} would be deleted`)
      const found = await whereAll(select(), where, manager, table).select(`row.${idProperty}`).getMany()
      await deleteRows(manager, table, { ...place, ...where })
      for (const row of found) touched(String(row[idProperty]), null)
      return found.length
    },
  }
}

function readsOf<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  place: Partial<Row>,
  codes: TableCodes<Row>,
) {
  const select = () => whereAll(manager.createQueryBuilder(table, 'row'), place, manager, table)
  // Beside the place, never in its stead: what a caller asks for narrows it and does not replace it.
  const find = (where: Partial<Row>) => {
    const stored = [...storedValues(place, manager, table), ...storedValues(where, manager, table)]
    return findRow(manager, table, stored).then((row) => (row === undefined ? undefined : codes.read([row])[0]))
  }
  const all = async (where: Partial<Row>) => codes.read(await whereAll(select(), where, manager, table).getMany())
  return {
    select,
    find,
    async findGenuine(where: Partial<Row>) {
      const row = await find(where)
      return row !== undefined && codes.isGenuine(row) ? row : undefined
    },
    list: async (where: Partial<Row>, limit: number) =>
      codes.read(await whereAll(select(), where, manager, table).limit(limit).getMany()),
    all,
    allGenuine: async (where: Partial<Row>) => (await all(where)).filter(codes.isGenuine),
    isGenuine: codes.isGenuine,
    page: (query: PageQuery) => pageOf(select(), query, manager.connection.getMetadata(table)),
    comparable: (property: string, text: string) => comparable(columnOf(manager, table, property), text),
    count: (where: Partial<Row>) => whereAll(select(), where, manager, table).getCount(),
  }
}

function updateRow<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  where: Partial<Row>,
  changes: Partial<Row>,
  only: OlderThan<Row> | undefined,
): Promise<number> {
  const older = only === undefined ? {} : ({ [only.property]: only.below } as Partial<Row>)
  return updateRows(manager, table, changes, [
    ...conditionsOf(storedValues(where, manager, table), '='),
    ...conditionsOf(storedValues(older, manager, table), '<'),
  ])
}

function conditionsOf(values: readonly StoredValue[], comparison: '=' | '<'): StoredCondition[] {
  return values.map(([, stored, column]) => ({ stored, column, comparison }))
}

async function deleteRows<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  where: Partial<Row>,
): Promise<number> {
  const query = manager.createQueryBuilder().delete().from(table)
  const { affected } = await andWhere(query, where, manager, table).execute()
  return affected ?? 0
}

function pageOf<Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  page: PageQuery,
  { columns }: EntityMetadata,
): Promise<Row[]> {
  const { without = [] } = page
  const names = columns.map(({ propertyName }) => propertyName).filter((name) => !without.includes(name))
  if (without.length > 0) query.select(names.map((name) => `row.${name}`))
  for (const condition of page.conditions) query.andWhere(`(${condition.sql})`, condition.parameters)
  for (const { property, descending } of page.orderBy) query.addOrderBy(`row.${property}`, descending ? 'DESC' : 'ASC')
  return query.limit(page.limit).getMany()
}

function whereAll<Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  where: Partial<Row>,
  manager: EntityManager,
  table: EntitySchema<Row>,
): SelectQueryBuilder<Row> {
  for (const [property, stored] of storedValues(where, manager, table)) {
    query.andWhere(`row.${property} = :where_${property}`, { [`where_${property}`]: stored })
  }
  return query
}

interface Narrowable {
  andWhere(sql: string, parameters: Record<string, unknown>): this
}

function andWhere<Row extends ObjectLiteral, Query extends Narrowable>(
  query: Query,
  where: Partial<Row>,
  manager: EntityManager,
  table: EntitySchema<Row>,
): Query {
  for (const [property, stored, column] of storedValues(where, manager, table)) {
    query.andWhere(`${column} = :where_${property}`, { [`where_${property}`]: stored })
  }
  return query
}

type StoredValue = [property: string, stored: unknown, column: string]

/** A query builder binds parameters as they are; the column knows how its values are stored. */
function storedValues<Row extends ObjectLiteral>(
  where: Partial<Row>,
  manager: EntityManager,
  table: EntitySchema<Row>,
): StoredValue[] {
  return Object.entries(where).map(([property, value]) => {
    const column = columnOf(manager, table, property)
    // An undefined parameter would silently match nothing, or on some paths everything.
    if (value === undefined) throw new Error(`${table.options.name}.${property} is asked for without a value`)
    const stored: unknown = manager.connection.driver.preparePersistentValue(value, column)
    return [property, typeof stored === 'string' ? comparable(column, stored) : stored, column.databaseName]
  })
}

function columnOf<Row extends ObjectLiteral>(manager: EntityManager, table: EntitySchema<Row>, property: string) {
  const metadata = manager.connection.getMetadata(table)
  const column = metadata.findColumnWithPropertyName(property)
  if (column === undefined) throw new Error(`${metadata.tableName} has no property ${property}`)
  return column
}

/**
 * MySQL fails a statement that compares an ASCII column with other text. Nothing stored there equals such a text; cut at its
 * first foreign character, with the highest of ASCII in its place, it keeps its place in every order.
 */
function comparable({ charset }: { readonly charset?: string | undefined }, text: string): string {
  if (charset !== 'ascii') return text
  const foreign = /[\u0080-\uffff]/.exec(text)
  return foreign === null ? text : `${text.slice(0, foreign.index)}\x7f`
}
