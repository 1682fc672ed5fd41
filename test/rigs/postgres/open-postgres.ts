import { installPglite } from './install-pglite.ts'

/** A PostgreSQL of its own, empty, in memory. One session: its superuser's, until SET ROLE. */
export interface Postgres extends AsyncDisposable {
  /** Statements without parameters, as many as there are. */
  exec(sql: string): Promise<void>
  query(sql: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>
}

interface PgliteModule {
  readonly PGlite: new () => {
    exec(sql: string): Promise<unknown>
    query(sql: string, values?: readonly unknown[]): Promise<{ readonly rows: Record<string, unknown>[] }>
    close(): Promise<void>
  }
}

export async function openPostgres(): Promise<Postgres> {
  const { PGlite } = (await import(await installPglite())) as PgliteModule
  const database = new PGlite()
  return {
    async exec(sql) {
      await database.exec(sql)
    },
    query: async (sql, values) => (await database.query(sql, values)).rows,
    async [Symbol.asyncDispose]() {
      await database.close()
    },
  }
}
