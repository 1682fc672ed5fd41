import { createConnection, type QueryValues, type RowDataPacket } from 'mysql2/promise'

/** A server, and who one is there. */
export interface MysqlAccount {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

/** From `mysql://user:password@host:port`. */
export function mysqlAccountFrom(url: string): MysqlAccount {
  const { hostname, port, username, password } = new URL(url)
  return {
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  }
}

/** One statement on a connection of its own. */
export async function queryMysql(
  { host, port, user, password }: MysqlAccount,
  sql: string,
  values?: QueryValues,
): Promise<RowDataPacket[]> {
  await using connection = await createConnection({ host, port, user, password })
  const [rows] = await connection.query<RowDataPacket[]>(sql, values)
  return rows
}
