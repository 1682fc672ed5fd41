import { type MysqlAccount, queryMysql } from './mysql-account.ts'

/** What Tenure needs in its own database, migrations included. It needs nothing anywhere else. */
const privileges = 'SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX'

export interface TenureDatabase {
  readonly database: string
  readonly user: string
  readonly password: string
}

/** Makes a database for Tenure, and the account that may use it and nothing else. What is there already stays. */
export async function createTenureDatabase(
  administrator: MysqlAccount,
  { database, user, password }: TenureDatabase,
): Promise<void> {
  await queryMysql(administrator, 'CREATE DATABASE IF NOT EXISTS ?? CHARACTER SET utf8mb4', [database])
  await queryMysql(administrator, "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ?", [user, password])
  await queryMysql(administrator, `GRANT ${privileges} ON ??.* TO ?@'%'`, [database, user])
}
