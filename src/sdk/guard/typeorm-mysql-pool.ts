import type { GuardedMysqlPool } from './guarded-mysql-pool.ts'
import type { GuardedMysqlConnection } from './mysql-connection.ts'

/** The face of a pool that TypeORM's mysql driver uses. */
export interface CallbackPool {
  getConnection(callback: (error: unknown, connection?: TypeormConnection) => void): void
  end(callback: (error?: unknown) => void): void
}

/** The face of a connection that TypeORM's query runner uses; streams are not among what it may do. */
interface TypeormConnection {
  promise(): Pick<GuardedMysqlConnection, 'query'>
  release(): void
  query(): never
  listeners(): readonly unknown[]
}

export function mysqlPoolForTypeorm(pool: GuardedMysqlPool): CallbackPool {
  return {
    getConnection(callback) {
      pool.getConnection().then(
        (connection) => callback(null, connectionForTypeorm(connection)),
        (error: unknown) => callback(error),
      )
    },
    end(callback) {
      pool.end().then(
        () => callback(null),
        (error: unknown) => callback(error),
      )
    },
  }
}

function connectionForTypeorm(connection: GuardedMysqlConnection): TypeormConnection {
  const face = { query: connection.query.bind(connection) }
  return {
    promise: () => face,
    release: () => connection.release(),
    query: () => {
      throw new TypeError('a guarded DataSource has no streams: read in pages')
    },
    // TypeORM adds a listener for errors where there is none; the pool listens itself.
    listeners: () => [face],
  }
}
