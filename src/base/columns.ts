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

/** An identifier, slug or word of a closed list: ASCII, compared byte by byte. */
export function asciiColumn(property: string, length: number, options: Options = {}) {
  return { ...base(property, options), type: 'varchar' as const, length }
}

/** Text for people: Unicode, compared code point by code point, no padding. */
export function textColumn(property: string, length: number, options: Options = {}) {
  return { ...base(property, options), type: 'varchar' as const, length }
}

/** Text compared byte by byte whatever the engine's collations do: `bob`, `Bob` and `bob ` stay three. */
export function exactTextColumn(property: string, options: Options = {}) {
  return {
    ...base(property, options),
    type: 'blob' as const,
    transformer: {
      to: (text: string | null) => (text === null ? null : Buffer.from(text, 'utf8')),
      from: (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('utf8')),
    },
  }
}

export function bytesColumn(property: string, options: Options = {}) {
  return { ...base(property, options), type: 'blob' as const }
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

/** Milliseconds, UTC, set by the clock of the process. */
export function timeColumn(property: string, options: Options = {}) {
  return { ...base(property, options), type: 'datetime' as const, precision: 3 }
}

/** A JSON object or array; never a bare string, which some drivers parse twice. */
export function jsonColumn(property: string, options: Options = {}) {
  return {
    ...base(property, options),
    type: 'text' as const,
    transformer: {
      to: (value: object | null) => (value === null ? null : JSON.stringify(value)),
      from: (text: string | null) => (text === null ? null : JSON.parse(text)),
    },
  }
}
