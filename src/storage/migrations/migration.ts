/** Which of the two kinds of database a migration is for. Directory tables hold no tenant data; cell tables hold nothing else. */
export type DatabaseRole = 'directory' | 'cell' | 'both'

/**
 * A list of steps for each engine. Each statement can be repeated: MySQL commits at every DDL statement, and a run may end
 * between any two. `ALTER TABLE … ADD COLUMN …`, of one column, is passed over where that column is there.
 */
export interface Migration {
  /** Ascending without gaps over both roles, the same for every engine. */
  readonly number: number
  readonly name: string
  readonly role: DatabaseRole
  readonly sqlite: readonly string[]
  /** Names engine, row format, and the character set and collation of every text column: no default of the server counts. */
  readonly mysql: readonly string[]
}
