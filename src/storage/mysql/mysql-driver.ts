import type { GuardedMysqlConnection } from './guarded-connection.ts'
import type { StatementResult } from './mysql-session.ts'

type ConnectionCallback = (error: Error | null, connection?: object) => void

/** What to hand to TypeORM as `driver` of a `mysql` data source: it connects to nothing by itself. */
export interface MysqlDriver {
  /** The connection that the next query runner gets; it must ask in the same turn. */
  offer(connection: GuardedMysqlConnection): void
  createPool(): {
    getConnection(callback: ConnectionCallback): void
    end(callback: (error: Error | null) => void): void
  }
}

/**
 * TypeORM takes connections from a pool of its own making, which knows neither the guard nor a scope. Here the leases are
 * taken outside, and the pool TypeORM sees hands out exactly the connection that was leased for the query runner that asks.
 */
export function createMysqlDriver(serverVersion: string): MysqlDriver {
  let offered: GuardedMysqlConnection | undefined
  return {
    offer(connection) {
      offered = connection
    },
    createPool: () => ({
      getConnection(callback) {
        const connection = offered
        offered = undefined
        callback(null, connection ?? introduction(serverVersion))
      },
      end: (callback) => callback(null),
    }),
  }
}

/** While it opens, a data source asks for the version of the server; that is known, and nothing else is answered. */
function introduction(version: string): object {
  return {
    promise: () => ({
      async query(sql: string): Promise<[StatementResult]> {
        if (sql === 'SELECT version() as version') return [[{ version }]]
        throw new Error('a data source asked for a connection outside of any lease')
      },
    }),
    release: () => undefined,
    listeners: () => [introduction],
  }
}
