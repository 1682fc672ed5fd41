import { isDeepStrictEqual } from 'node:util'
import type { EntitySchema, EntitySchemaColumnOptions } from 'typeorm'

/** A table as an engine has it, or as an entity declares it for that engine. */
export interface Table {
  /** By name. */
  readonly columns: Readonly<Record<string, Column>>
  /** By name, without the primary key. */
  readonly indices: Readonly<Record<string, Index>>
  /** Names of what runs by itself when rows change. No entity declares any. */
  readonly triggers: readonly string[]
}

export interface Column {
  /** Everything the engine knows of its values: type, length, precision, character set, collation, default. */
  readonly type: string
  readonly nullable: boolean
  /** Its place in the primary key, from 1; 0: it is not in it. */
  readonly key: number
}

export interface Index {
  readonly unique: boolean
  readonly columns: readonly string[]
}

/** By name of the table. */
export type Schema = Readonly<Record<string, Table>>

export function tableNameOf(entity: EntitySchema): string {
  return entity.options.tableName ?? entity.options.name
}

/** What the entity demands of an engine that writes its types as `typeOf` does. */
export function declaredTable(entity: EntitySchema, typeOf: (column: EntitySchemaColumnOptions) => string): Table {
  const declared = entity.options.columns as Record<string, EntitySchemaColumnOptions>
  const nameOf = (property: string) => declared[property]?.name ?? property
  const keys = Object.keys(declared).filter((property) => declared[property]?.primary === true)
  const columns = Object.entries(declared).map(([property, column]) => [
    nameOf(property),
    { type: typeOf(column), nullable: column.nullable === true, key: keys.indexOf(property) + 1 },
  ])
  const indices = (entity.options.indices ?? []).map(({ name, unique, columns: properties }) => [
    name,
    { unique: unique === true, columns: (properties as string[]).map(nameOf) },
  ])
  return { columns: Object.fromEntries(columns), indices: Object.fromEntries(indices), triggers: [] }
}

/**
 * What a database has otherwise than the entities declare it, a sentence each: both ways, because a column too many holds
 * what no rule speaks of, and an index that is missing may have been what kept two rows apart.
 */
export function schemaDrift(declared: Schema, found: Schema): string[] {
  const tables = new Set([...Object.keys(declared), ...Object.keys(found)])
  return [...tables].sort().flatMap((name) => {
    const [asDeclared, asFound] = [declared[name], found[name]]
    if (asFound === undefined) return [`the table ${name} is missing`]
    if (asDeclared === undefined) return [`there is a table ${name} that nothing declares`]
    return [
      ...differences(`column of ${name}`, asDeclared.columns, asFound.columns),
      ...differences(`index of ${name}`, asDeclared.indices, asFound.indices),
      ...asFound.triggers.map((trigger) => `the trigger of ${name} ${trigger} is one that nothing declares`),
    ]
  })
}

function differences(
  what: string,
  declared: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
) {
  const names = new Set([...Object.keys(declared), ...Object.keys(found)])
  return [...names].sort().flatMap((name) => {
    if (found[name] === undefined) return [`the ${what} ${name} is missing`]
    if (declared[name] === undefined) return [`the ${what} ${name} is one that nothing declares`]
    return isDeepStrictEqual(declared[name], found[name]) ? [] : [`the ${what} ${name} is not as it was declared`]
  })
}
