import { timingSafeEqual } from 'node:crypto'
import type { EntitySchema, ObjectLiteral } from 'typeorm'
import { type CodeFamily, codedOf } from '../base/coded-columns.ts'
import { createHmacSha256 } from '../base/hmac-sha256.ts'
import { platformTenantId } from '../base/ids.ts'
import { keyPropertiesOf } from './pins.ts'

/** A row that Tenure did not write: its code is missing, or is that of other values. */
export interface ForgedRow {
  readonly table: string
  /** That of the platform for a row of the directory. */
  readonly tenantId: string
  readonly id: string
}

/** Keyed codes over the rows that grant power: who can write the database, but has no keyring, can make none. */
export interface RowCodes {
  /** To be called once for each family, before the first row of it is written or read. Until then every use throws. */
  open(family: CodeFamily, key: Uint8Array): void
  /** Undefined: rows of the table carry no code. */
  codeOf(table: EntitySchema, row: ObjectLiteral): Uint8Array | undefined
  /** Whether the row, read whole, carries the code of what it says. Rows of a table without codes all do. Tells nobody. */
  isGenuine(table: EntitySchema, row: ObjectLiteral): boolean
  /** Whether a change of these properties asks for another code. */
  covers(table: EntitySchema, properties: Iterable<string>): boolean
  /** Tells of a row that is none of ours. */
  forged(row: ForgedRow): void
}

/** Another form of what is covered, or of how it is put together, needs another purpose. */
const purpose = 'tenure row code 1'

/** `forged` must not throw. */
export function createRowCodes(forged: (row: ForgedRow) => void): RowCodes {
  const hmacs: Partial<Record<CodeFamily, ReturnType<typeof createHmacSha256>>> = {}
  const codeOf: RowCodes['codeOf'] = (table, row) => {
    const form = formOf(table)
    if (form === undefined) return undefined
    const hmac = hmacs[form.family]
    if (hmac === undefined) throw new Error('a row that grants power was met before the key of its code was opened')
    let text = form.prefix
    for (const property of form.properties) text += part(canonical(row[property]))
    return hmac(text)
  }
  return {
    open(family, key) {
      hmacs[family] = createHmacSha256(key)
    },
    codeOf,
    isGenuine(table, row) {
      const code = codeOf(table, row)
      if (code === undefined) return true
      const stored: unknown = row.rowCode
      return stored instanceof Uint8Array && stored.length === code.length && timingSafeEqual(stored, code)
    },
    covers(table, properties) {
      const form = formOf(table)
      return form !== undefined && [...properties].some((property) => form.properties.includes(property))
    },
    forged,
  }
}

/** The row as it is told of; `idProperty` is the last part of its primary key. */
export function forgedRowOf(table: EntitySchema, idProperty: string, row: ObjectLiteral): ForgedRow {
  const { tableName, name } = table.options
  return { table: tableName ?? name, tenantId: String(row.tenantId ?? platformTenantId), id: String(row[idProperty]) }
}

interface CodedForm {
  readonly family: CodeFamily
  readonly prefix: string
  readonly properties: readonly string[]
}

const forms = new WeakMap<EntitySchema, CodedForm | null>()

/** Made once for each table: it is asked for at every row. */
function formOf(table: EntitySchema): CodedForm | undefined {
  const known = forms.get(table)
  if (known !== undefined) return known ?? undefined
  const coded = codedOf(table)
  if (coded === undefined) {
    forms.set(table, null)
    return undefined
  }
  const { tableName, name } = table.options
  const form = {
    family: coded.family,
    prefix: part(purpose) + part(tableName ?? name),
    properties: [...keyPropertiesOf(table), ...coded.properties],
  }
  forms.set(table, form)
  return form
}

/** Preceded by its length, so that no two lists of values give the same text; in one text, because that is hashed fastest. */
function part(text: string): string {
  return `${text.length}:${text}`
}

/**
 * One text for each value, whichever engine it comes from and whether it was stored already: its kind, and then what is
 * left of it on its way through any engine.
 */
function canonical(value: unknown): string {
  if (value === null || value === undefined) return 'n'
  if (typeof value === 'string') return `s${value}`
  if (typeof value === 'boolean') return value ? 'b1' : 'b0'
  if (typeof value === 'number') return `i${value}`
  if (value instanceof Date) return `d${value.getTime()}`
  if (value instanceof Uint8Array)
    return `x${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}`
  if (Array.isArray(value)) return `l${value.map((each) => part(canonical(each))).join('')}`
  // Only what somebody else put there: whatever it is, it is not what a code was made over.
  return `j${JSON.stringify(value)}`
}
