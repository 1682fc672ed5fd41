import type { TenantGuard } from './tenant-guard.ts'
import type { TenantSession } from './tenant-session.ts'

/** The part of a connection that a transaction is seen and ended by. */
interface TransactionalConnection {
  readonly inTransaction: boolean
  exec(sql: string): unknown
}

const rollBack = /^ROLLBACK(?: TO SAVEPOINT \w+)?$/

const begunElsewhere =
  'the transaction that another withTenant began on this connection is still open; do the work on this file one after another, or give what works at once a DataSource of its own'

/**
 * The one transaction the connection of a file can have open, and whose it is. A statement of anybody else would run inside
 * it: acknowledged, and lost when it is rolled back; or it would end it.
 */
export class SqliteTransaction {
  readonly #guard: TenantGuard
  readonly #connection: TransactionalConnection
  /** Who began the one that is open; undefined too for what was begun outside of every `withTenant`. */
  #owner: TenantSession | undefined
  #lease: Disposable | undefined
  /** None is open, and TypeORM believes that one is: it was left open and rolled back here, or SQLite ended it. */
  #believed = false

  constructor(guard: TenantGuard, connection: TransactionalConnection) {
    // Whose a statement would be could not be told, and every one would pass.
    if (guard.mode === 'enforce' && typeof connection.inTransaction !== 'boolean') {
      throw new TypeError('the guard needs a driver that has inTransaction, as the class of better-sqlite3 does')
    }
    this.#guard = guard
    this.#connection = connection
  }

  /**
   * Whether the statement is to roll back what is gone already. TypeORM has one query runner for everybody: refused, it would
   * take that transaction for open until the service ends, and nobody could begin another.
   */
  isRolledBack(sql: string): boolean {
    if (!this.#believed || this.#connection.inTransaction || !rollBack.test(sql)) return false
    this.#believed = sql !== 'ROLLBACK'
    return true
  }

  /** Runs what the guard has admitted, unless it would run inside a transaction of somebody else. */
  run<T>(sql: string, session: TenantSession | undefined, statement: () => T): T {
    const enforced = this.#guard.mode === 'enforce'
    if (enforced && this.#owner?.ended === true) this.#rollBack()
    // What TypeORM sends where it believes in none.
    if (sql === 'BEGIN TRANSACTION') this.#believed = false
    const before = this.#connection.inTransaction
    if (before && !this.#isOf(session)) this.#guard.violated('crossed-context', sql, session, begunElsewhere)
    // It would begin one that its RELEASE commits, and that its ROLLBACK TO leaves open.
    if (enforced && !before && sql.startsWith('SAVEPOINT ')) {
      this.#believed = true
      throw new Error('the transaction this savepoint was to be in has ended: roll back, and begin again')
    }
    try {
      return statement()
    } finally {
      // Asked, because statements that fail leave it open or end it, by what went wrong.
      this.#follow(before, session)
    }
  }

  forget(): void {
    this.#lease?.[Symbol.dispose]()
    this.#lease = undefined
    this.#owner = undefined
  }

  #isOf(session: TenantSession | undefined): boolean {
    return this.#owner === undefined ? session === undefined : session?.isWithin(this.#owner) === true
  }

  #follow(before: boolean, session: TenantSession | undefined): void {
    const now = this.#connection.inTransaction
    if (now === before) return
    this.forget()
    if (!now) return
    this.#owner = session
    if (this.#guard.mode === 'enforce') this.#lease = session?.lease(() => this.#ownerEnds())
  }

  #ownerEnds(): void {
    try {
      this.#rollBack()
    } catch {
      // What the work answered stands. The next statement, whosever it is, tries again and fails with the reason.
    }
  }

  #rollBack(): void {
    if (this.#connection.inTransaction) {
      this.#connection.exec('ROLLBACK')
      this.#believed = true
    }
    this.forget()
  }
}
