import { randomBytes } from 'node:crypto'
import { createConnection, type RowDataPacket } from 'mysql2'
import type { Connection } from 'mysql2/promise'
import type { MysqlServer } from '../../../src/storage/mysql/mysql-server.ts'
import { mysqlAccountFrom } from '../../rigs/mysql/mysql-account.ts'

export interface ScratchDatabase extends AsyncDisposable {
  /** The database, for its owner. */
  readonly server: MysqlServer
  /** A session of the server's administrator in it. */
  readonly admin: Connection
  rows(sql: string, values?: readonly (string | number)[]): Promise<RowDataPacket[]>
  /** Connections to it that are not the administrator's: all of them, or those in one state. */
  sessions(state?: string): Promise<number[]>
  /** Another account of the server, which goes with the database. `grants`: rights in this database, `ALL` or a list. */
  account(password: string, grants?: string, demands?: string): Promise<MysqlServer>
}

/** The real MySQL that tests use, as its administrator. */
export function testMysql(): Omit<MysqlServer, 'database'> {
  const text = process.env.TENURE_TEST_MYSQL
  if (text === undefined) {
    throw new Error('TENURE_TEST_MYSQL is not set: run the tests by `make test`, or name a MySQL of your own in it.')
  }
  return { ...mysqlAccountFrom(text), tls: undefined }
}

export interface ScratchOptions {
  readonly name?: string
  /** By default one whose defaults are wrong everywhere, so that whatever relies on them shows. */
  readonly characterSet?: string
}

export async function createScratchDatabase(options: ScratchOptions = {}): Promise<ScratchDatabase> {
  const { name = `mig_${randomBytes(6).toString('hex')}`, characterSet = 'latin1 COLLATE latin1_german1_ci' } = options
  const { host, port, user, password } = testMysql()
  const admin = createConnection({ host, port, user, password }).promise()
  await admin.query(`CREATE DATABASE \`${name}\` CHARACTER SET ${characterSet}`)
  await admin.query(`USE \`${name}\``)
  const accounts: string[] = []
  return {
    server: { ...testMysql(), database: name },
    admin,
    async rows(sql, values = []) {
      const [rows] = await admin.query<RowDataPacket[]>(sql, [...values])
      return rows
    },
    async sessions(state) {
      const [rows] = await admin.query<RowDataPacket[]>('SHOW PROCESSLIST')
      const others = rows.filter(({ db, Id }) => db === name && Id !== admin.threadId)
      return others.filter(({ State }) => state === undefined || State === state).map(({ Id }) => Number(Id))
    },
    async account(secret, grants, demands = '') {
      const account = `mig_${randomBytes(6).toString('hex')}`
      accounts.push(account)
      await admin.query(`CREATE USER ?@'%' IDENTIFIED BY ? ${demands}`, [account, secret])
      if (grants !== undefined) await admin.query(`GRANT ${grants} ON \`${name}\`.* TO ?@'%'`, [account])
      return { ...testMysql(), user: account, password: secret, database: name }
    },
    async [Symbol.asyncDispose]() {
      await admin.query('UNLOCK TABLES')
      await admin.query(`DROP DATABASE IF EXISTS \`${name}\``)
      for (const account of accounts) await admin.query("DROP USER IF EXISTS ?@'%'", [account])
      await admin.end()
    },
  }
}
