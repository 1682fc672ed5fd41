import { type Connection, createConnection, type QueryError } from 'mysql2'
import { ConnectionLost, mysqlFailureOf } from './mysql-errors.ts'
import { connectionOptionsOf, type MysqlServer } from './mysql-server.ts'
import { type SessionKind, settingsStatement, verificationStatement, verifySettings } from './session-settings.ts'

/** Rows of a SELECT, or what the server said of a statement that returns none. */
export type StatementResult = readonly Record<string, unknown>[] | StatementHeader

interface StatementHeader {
  readonly affectedRows: number
  readonly insertId: number
}

/** What the server says of itself when a session begins. */
export interface ServerFacts {
  readonly version: string
  /** Of this server and no other, over its restarts. */
  readonly serverId: string
  /** Unix time in seconds, to a second or two: tells a server from the same server started anew. */
  readonly startedAtSeconds: number
}

/**
 * One connection to MySQL with every setting of its session set and read back. It ends at the first sign that what the
 * server does and what is known here may differ: a deadline passed, a socket failed, a read-only answer.
 */
export class MysqlSession {
  readonly facts: ServerFacts
  readonly #connection: Connection
  #ended = false
  #abandoned = false
  /** Rejects what is under way: the driver forgets the commands of a connection it destroys. */
  readonly #underWay = new Set<(error: Error) => void>()
  /** When it was last given back, on the monotonic clock of the process. */
  idleSinceMs = 0

  constructor(connection: Connection, facts: ServerFacts) {
    this.facts = facts
    this.#connection = connection
    // Emitted when the server closes an idle connection; without a listener it would end the process.
    connection.on('error', () => this.destroy())
    connection.on('end', () => this.destroy())
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Ended while a statement may still run at the server: its locks are free only once it is killed there. */
  get abandoned(): boolean {
    return this.#abandoned
  }

  /** The server's number of this connection, for KILL. */
  get threadId(): number {
    return this.#connection.threadId
  }

  /** Statements with parameters are prepared, so that no value is ever part of a text. Rejects with the driver's error. */
  async run(sql: string, params: readonly unknown[], timeoutMs: number): Promise<StatementResult> {
    if (this.#ended) throw new ConnectionLost('the connection has ended')
    try {
      return await withDeadline(timeoutMs, () => this.abandon(), this.#answerTo(sql, params))
    } catch (error) {
      const failure = mysqlFailureOf(error)
      if (failure === 'lost' || failure === 'read-only' || failure === 'slow') this.destroy()
      throw error
    }
  }

  #answerTo(sql: string, params: readonly unknown[]): Promise<StatementResult> {
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject)
      const forget = () => this.#underWay.delete(reject)
      send(this.#connection, sql, params).then(resolve, reject).finally(forget)
    })
  }

  abandon(): void {
    this.#abandoned = true
    this.destroy()
  }

  destroy(): void {
    if (this.#ended) return
    this.#ended = true
    drop(this.#connection)
    for (const reject of this.#underWay) reject(new ConnectionLost('the connection has ended'))
  }

  /** Says goodbye, so that the server does not count an aborted client. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 500)
      this.#connection.end(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    drop(this.#connection)
  }
}

const handshakeTimeoutMs = 3_000

/** Connects, sets the session up, reads it all back. Rejects with the driver's error, or with what is set otherwise. */
export async function openSession(server: MysqlServer, kind: SessionKind): Promise<MysqlSession> {
  const connection = createConnection(connectionOptionsOf(server))
  try {
    const ready = new Promise<void>((resolve, reject) => {
      connection.on('error', reject)
      connection.connect((error) => (error === null ? resolve() : reject(error)))
    })
    const opened = ready.then(async () => {
      await send(connection, settingsStatement(kind), [])
      const rows = await send(connection, verificationStatement, [])
      const uptime = await send(connection, "SHOW GLOBAL STATUS LIKE 'Uptime'", [])
      return verifySettings(kind, firstOf(rows), Number(firstOf(uptime).Value))
    })
    const facts = await withDeadline(handshakeTimeoutMs, () => drop(connection), opened)
    connection.removeAllListeners('error')
    return new MysqlSession(connection, facts)
  } catch (error) {
    // A socket that fails later must not find nobody listening.
    connection.on('error', () => undefined)
    drop(connection)
    throw error
  }
}

/** The driver's own destroy says goodbye and waits; where the network swallows that, the process would never end. */
function drop(connection: Connection): void {
  connection.destroy()
  const { stream } = connection as Connection & { readonly stream?: { destroy(): void } }
  stream?.destroy()
}

function firstOf(result: StatementResult): Record<string, unknown> {
  return (Array.isArray(result) ? result[0] : undefined) ?? {}
}

function send(connection: Connection, sql: string, params: readonly unknown[]): Promise<StatementResult> {
  return new Promise((resolve, reject) => {
    const done = (error: QueryError | null, result: unknown) =>
      error === null ? resolve(result as StatementResult) : reject(error)
    // Transaction control cannot be prepared, and has no parameters.
    if (params.length === 0) connection.query(sql, done)
    else connection.execute(sql, [...params] as never, done)
  })
}

/** The statement may go on at the server: whoever gives up must end the connection. */
async function withDeadline<T>(timeoutMs: number, giveUp: () => void, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      giveUp()
      reject(new ConnectionLost('the database did not answer in time'))
    }, timeoutMs)
  })
  work.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
