/** Which of the two kinds of database a migration is for. Directory tables hold no tenant data; cell tables hold nothing else. */
export type DatabaseRole = 'directory' | 'cell'

/** One idempotent step: engines that commit at every DDL statement can be interrupted between any two. */
export interface Migration {
  /** Ascending without gaps over both roles, the same for every engine. */
  readonly number: number
  readonly name: string
  readonly role: DatabaseRole
  readonly sqlite: readonly string[]
}
