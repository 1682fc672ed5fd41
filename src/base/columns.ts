/** Column definitions in the subset that every engine has, in the shape an EntitySchema takes. Property names are camel case, columns snake case. */

function snakeCase(property: string): string {
  return property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

interface Options {
  readonly primary?: boolean
  readonly nullable?: boolean
}

function base(property: string, options: Options) {
  return { name: snakeCase(property), primary: options.primary ?? false, nullable: options.nullable ?? false }
}

/**
 * MySQL is told the character set and collation of every text column, so that the default of a server or a database never
 * decides what equals what. SQLite compares bytes by itself.
 */
const ascii = { charset: 'ascii', collation: 'ascii_bin' } as const
const unicode = { charset: 'utf8mb4', collation: 'utf8mb4_0900_bin' } as const
const binary = { charset: 'binary', collation: 'binary' } as const

/** An identifier, slug or word of a closed list: ASCII, compared byte by byte. */
export function asciiColumn(property: string, length: number, options: Options = {}) {
  return { ...base(property, options), type: 'varchar' as const, length, ...ascii }
}

/** Text for people: Unicode, compared code point by code point, no padding. `length` counts characters. */
export function textColumn(property: string, length: number, options: Options = {}) {
  return { ...base(property, options), type: 'varchar' as const, length, ...unicode }
}

/**
 * Text compared byte by byte whatever the engine's collations do: `bob`, `Bob` and `bob ` stay three. `length` counts
 * bytes of UTF-8. A varchar of the character set `binary` is a VARBINARY in MySQL and a blob in SQLite.
 */
export function exactTextColumn(property: string, length: number, options: Options = {}) {
  return {
    ...base(property, options),
    type: 'varchar' as const,
    length,
    ...binary,
    transformer: {
      to: (text: string | null) => (text === null ? null : Buffer.from(text, 'utf8')),
      from: (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('utf8')),
    },
  }
}

/**
 * Bytes. With a `length` always exactly that many (BINARY), without one up to 16 MiB (MEDIUMBLOB). TypeORM's MySQL driver
 * refuses a `length` on a blob; it stands in `precision`, which it takes for any type.
 */
export function bytesColumn(property: string, { length, ...options }: Options & { readonly length?: number } = {}) {
  return { ...base(property, options), type: 'blob' as const, ...(length === undefined ? {} : { precision: length }) }
}

/** A whole number that fits a JavaScript number. Engines hand 64-bit columns out as text or number. */
export function integerColumn(property: string, options: Options = {}) {
  return {
    ...base(property, options),
    type: 'bigint' as const,
    transformer: {
      to: (value: number | null) => value,
      from: (value: unknown) => (value === null ? null : Number(value)),
    },
  }
}

/** A TINYINT(1) in MySQL. */
export function booleanColumn(property: string, options: Options = {}) {
  return { ...base(property, options), type: 'boolean' as const }
}

/** Milliseconds, UTC, set by the clock of the process. */
export function timeColumn(property: string, options: Options = {}) {
  return { ...base(property, options), type: 'datetime' as const, precision: 3 }
}

/** A JSON object or array, up to 16 MiB (MEDIUMTEXT); never a bare string, which some drivers parse twice. */
export function jsonColumn(property: string, options: Options = {}) {
  return {
    ...base(property, options),
    type: 'text' as const,
    ...unicode,
    transformer: {
      to: (value: object | null) => (value === null ? null : JSON.stringify(value)),
      from: (text: string | null) => (text === null ? null : JSON.parse(text)),
    },
  }
}
