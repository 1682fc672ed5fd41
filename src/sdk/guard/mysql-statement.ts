/** What mysql2 takes in place of a text; options that are not here change what a statement means, and are not handed on. */
export interface MysqlQueryOptions {
  readonly sql: string
  readonly values?: unknown
  readonly rowsAsArray?: boolean
  readonly nestTables?: boolean | string
  readonly timeout?: number
}

/** What pools and connections of mysql2 write into texts; nothing of it reaches a server. */
export interface MysqlWriting {
  escape(value: unknown): string
  escapeId(name: string | string[]): string
  format(sql: string, values?: unknown[]): string
}

export interface MysqlStatement {
  readonly sql: string
  readonly values: readonly unknown[]
  /** What else was given makes it something the guard cannot judge: values by name, or an option it does not know. */
  readonly strange: boolean
  /** As the driver gets it once the guard has let it pass. */
  readonly judged: MysqlQueryOptions
  /** As it was given. */
  readonly original: MysqlQueryOptions
}

/**
 * Reads what was given once, into an object of its own: a getter, or a list changed meanwhile, must not show the guard
 * one thing and the driver another.
 */
export function mysqlStatementFrom(input: string | MysqlQueryOptions, given: unknown): MysqlStatement {
  const read: MysqlQueryOptions = typeof input === 'string' ? { sql: input } : { ...input }
  const { sql, values: within, rowsAsArray, nestTables, timeout, ...others } = read
  if (typeof sql !== 'string') throw new TypeError('a statement is a text, or an object with the text in sql')
  const chosen = given ?? within
  const listed = chosen === undefined || Array.isArray(chosen)
  const values: readonly unknown[] = Array.isArray(chosen) ? [...chosen] : []
  const options = {
    ...(rowsAsArray === undefined ? {} : { rowsAsArray }),
    ...(nestTables === undefined ? {} : { nestTables }),
    ...(timeout === undefined ? {} : { timeout }),
  }
  return {
    sql,
    values,
    strange: !listed || Object.keys(others).length > 0,
    judged: { ...options, sql, values: values.map(driverValue) },
    original: { ...read, values: listed ? values : chosen },
  }
}

/**
 * Times and bytes are copied bare: drivers write what an object's own methods answer into the text, and these two can
 * carry a `toSqlString` or a `toString` of their own. Every other object the guard has refused.
 */
function driverValue(value: unknown): unknown {
  if (value instanceof Date) return new Date(Date.prototype.getTime.call(value))
  return value instanceof Uint8Array ? Buffer.copyBytesFrom(value) : value
}
