import { createHash } from 'node:crypto'
import { openSideDoor, type StoredRow } from '../support/side-door.ts'

/** The feed id counts accesses too, and they are not compared; the hash of an event stands for its record. */
const notCompared: ReadonlySet<string> = new Set(['feed_id', 'record', 'answer'])
/** Servers write there by themselves, whatever anybody asks of them: that they are alive, and where audit chains are. */
const ofServers: ReadonlySet<string> = new Set([
  'feed_heartbeats',
  'directory_heartbeats',
  'audit_checkpoints',
  'audit_checkpoint_ends',
])

export interface StoredState {
  /** How many changes were audited in each journal. */
  readonly events: readonly number[]
  readonly fingerprint: string
}

/** Looks at the database behind the server's back. */
export interface StoredRows extends AsyncDisposable {
  /** Over every row of every table, but for what is kept of accesses and denials. `tenantId`: of that tenant alone. */
  hash(tenantId?: string): Promise<string>
  /** Says less than the hash, and costs less: the journal is counted, not read. */
  state(): Promise<StoredState>
  /** Changes with every commit of anybody else. */
  commitMark(): Promise<string>
  rows(statement: string, ...parameters: string[]): Promise<readonly StoredRow[]>
}

export async function openStoredRows(url: string): Promise<StoredRows> {
  const sideDoor = await openSideDoor(url)
  const columnsOf = [...(await sideDoor.tables())].filter(([table]) => !ofServers.has(table))
  return {
    async hash(tenantId) {
      const hash = createHash('sha256')
      for (const [table, columns] of columnsOf) {
        const kept = columns.includes('chain') ? ["chain NOT LIKE 'access/%'"] : []
        if (tenantId !== undefined && !columns.includes('tenant_id')) continue
        if (tenantId !== undefined) kept.push('tenant_id = ?')
        const selected = columns.filter((column) => !notCompared.has(column)).join(', ')
        const where = kept.length === 0 ? '' : ` WHERE ${kept.join(' AND ')}`
        const values = tenantId === undefined ? [] : [tenantId]
        hash.update(textOf(table, await sideDoor.all(`SELECT ${selected} FROM ${table}${where}`, values)))
      }
      return hash.digest('hex')
    },
    async state() {
      const hash = createHash('sha256')
      const events: number[] = []
      for (const [table, columns] of columnsOf) {
        if (!columns.includes('chain')) {
          hash.update(textOf(table, await sideDoor.all(`SELECT * FROM ${table}`)))
        } else if (columns.includes('record')) {
          const count = `SELECT count(*) AS n FROM ${table} WHERE chain NOT LIKE 'access/%'`
          events.push(Number((await sideDoor.all(count))[0]?.n))
        }
      }
      return { events, fingerprint: hash.digest('hex') }
    },
    commitMark: () => sideDoor.commitMark(),
    rows: (statement, ...parameters) => sideDoor.all(statement, parameters),
    [Symbol.asyncDispose]: () => sideDoor[Symbol.asyncDispose](),
  }
}

/** In an order of its own: the engines promise none. */
function textOf(table: string, rows: readonly StoredRow[]): string {
  return [table, ...rows.map(rowText).sort()].join('\n')
}

function rowText(row: StoredRow): string {
  return JSON.stringify(Object.values(row), (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  )
}
