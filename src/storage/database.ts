import type { EntityManager } from 'typeorm'
import type { GuardBinding } from '../sql-guard/guard-types.ts'

export type Engine = 'sqlite' | 'mysql'

/**
 * One database as the kernel sees it. Every unit of work leases a connection for itself, bound to what the guard checks
 * every statement against; nothing else reaches the connection while it is leased.
 */
export interface Database extends AsyncDisposable {
  readonly engine: Engine
  /** Suffixes of a SELECT that locks the rows it reads; empty where the engine has one writer at a time anyway. */
  readonly rowLock: { readonly forUpdate: string; readonly forShare: string }

  /** One consistent snapshot for everything `work` reads. Cannot write. */
  read<T>(binding: GuardBinding, work: (manager: EntityManager) => Promise<T>): Promise<T>

  /**
   * One transaction, durable when the promise resolves. Rolled back when `work` throws, or resolves with `keep: false`.
   * `work` is run again from its start when the engine gave its transaction up (a deadlock, a lost connection): it keeps
   * nothing from one run to the next. Writers of one SQLite database run one after the other.
   */
  write<T>(binding: GuardBinding, work: (manager: EntityManager) => Promise<Written<T>>): Promise<T>

  /** Ends every connection once its borrower is done: what answers under the name of the database may be another server by now. */
  renew(): void

  /** From now on every new connection is asked whether it leads to that database, and ended when it does not. */
  onlyIf(identity: DatabaseIdentity): void
}

/** What a database says of itself in its table `cell_identity`. */
export interface DatabaseIdentity {
  readonly cellId: string
  readonly incarnationId: string
}

export interface Written<T> {
  readonly value: T
  readonly keep: boolean
  /**
   * Finds out, in a later transaction that may take locks, whether this one was committed: for a COMMIT whose answer was
   * lost on the way. Without it such a write fails, and whoever began it repeats it.
   */
  readonly wasCommitted?: (manager: EntityManager) => Promise<boolean>
}
