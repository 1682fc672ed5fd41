import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'

/** The feed id counts accesses too, and they are not compared; the hash of an event stands for its record. */
const notCompared: ReadonlySet<string> = new Set(['feed_id', 'record', 'answer'])

/** Looks at the database file behind the server's back, read-only. */
export interface StoredRows extends Disposable {
  /** Over every row of every table, but for what is kept of accesses and denials. `tenantId`: of that tenant alone. */
  hash(tenantId?: string): string
  /** How many changes were audited in each journal; a state that says less than the hash, and costs less: the journal is counted, not read. */
  state(): { readonly events: readonly number[]; readonly fingerprint: string }
  /** Changes with every commit of anybody else. */
  commitMark(): number
  rows(statement: string, ...parameters: string[]): Record<string, unknown>[]
}

export function openStoredRows(file: string): StoredRows {
  const database = new DatabaseSync(file, { readOnly: true })
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .all()
    .map(({ name }) => String(name))
  const columnsOf = new Map(
    tables.map((table) => [
      table,
      database
        .prepare(`PRAGMA table_info(${table})`)
        .all()
        .map(({ name }) => String(name)),
    ]),
  )
  return {
    hash(tenantId) {
      const hash = createHash('sha256')
      for (const [table, columns] of columnsOf) {
        const kept = columns.includes('chain') ? ["chain NOT LIKE 'access/%'"] : []
        if (tenantId !== undefined && !columns.includes('tenant_id')) continue
        if (tenantId !== undefined) kept.push('tenant_id = ?')
        const selected = columns.filter((column) => !notCompared.has(column)).join(', ')
        const where = kept.length === 0 ? '' : ` WHERE ${kept.join(' AND ')}`
        const statement = database.prepare(`SELECT ${selected} FROM ${table}${where} ORDER BY rowid`)
        hash.update(table)
        for (const row of statement.iterate(...(tenantId === undefined ? [] : [tenantId]))) hash.update(textOf(row))
      }
      return hash.digest('hex')
    },
    state() {
      const hash = createHash('sha256')
      const events: number[] = []
      for (const [table, columns] of columnsOf) {
        if (!columns.includes('chain')) {
          hash.update(table)
          for (const row of database.prepare(`SELECT * FROM ${table}`).iterate()) hash.update(textOf(row))
        } else if (columns.includes('record')) {
          const counted = database.prepare(`SELECT count(*) AS n FROM ${table} WHERE chain NOT LIKE 'access/%'`).get()
          events.push(Number(counted?.n))
        }
      }
      return { events, fingerprint: hash.digest('hex') }
    },
    commitMark: () => Number(database.prepare('PRAGMA data_version').get()?.data_version),
    rows: (statement, ...parameters) => database.prepare(statement).all(...parameters),
    [Symbol.dispose]: () => database.close(),
  }
}

function textOf(row: Record<string, unknown>): string {
  return JSON.stringify(Object.values(row), (_key, value: unknown) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString('latin1')
      : typeof value === 'bigint'
        ? `${value}`
        : value,
  )
}
