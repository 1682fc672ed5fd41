import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QueryValues, RowDataPacket } from 'mysql2/promise'
import { freePort } from '../free-port.ts'
import { installMysql } from './install-mysql.ts'
import { type MysqlAccount, queryMysql } from './mysql-account.ts'
import { spawnMysqld } from './mysqld.ts'

export interface StartMysqlOptions {
  /** Where its data is kept, and is found again by the next start. Default: a folder that goes with it. */
  readonly folder?: string
  /** Of the account `root`, from every start on. Default: none. */
  readonly password?: string
}

/** A real MySQL of this process's own, durable as in production, on one port over every start. The account may do everything. */
export interface MysqlRig extends AsyncDisposable, MysqlAccount {
  readonly folder: string
  /** Undefined while it is stopped. */
  readonly pid: number | undefined
  /** Starts it again on the same data. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>
  createDatabase(name: string): Promise<void>
  query(sql: string, values?: QueryValues): Promise<RowDataPacket[]>
}

const startTimeoutMs = 60_000
const host = '127.0.0.1'

export async function startMysql(options: StartMysqlOptions = {}): Promise<MysqlRig> {
  const { root, template } = await installMysql()
  const folder = resolve(options.folder ?? mkdtempSync(join(tmpdir(), 'tenure-mysql-')))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const dataFolder = join(folder, 'data')
  if (!existsSync(dataFolder)) cpSync(template, dataFolder, { recursive: true })
  const port = await freePort()
  const logFile = join(folder, 'mysqld.log')
  const initFile = join(folder, 'init.sql')
  const account = { host, port, user: 'root', password: options.password ?? '' }
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals) => {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    ending.kill(signal)
    await once(ending, 'exit')
  }
  const rig: MysqlRig = {
    ...{ ...account, folder },
    get pid() {
      return child?.pid
    },
    async start() {
      writeFileSync(initFile, `ALTER USER root@localhost IDENTIFIED BY '${account.password}';\n`, { mode: 0o600 })
      child = spawnMysqld({ root, dataFolder, port, logFile, initFile })
      await once(child, 'spawn')
      await listening(child, logFile, () => rig.query('SELECT 1'))
      rmSync(initFile)
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async createDatabase(name) {
      await rig.query('CREATE DATABASE IF NOT EXISTS ?? CHARACTER SET utf8mb4', [name])
    },
    query: (sql, values) => queryMysql(account, sql, values),
    async [Symbol.asyncDispose]() {
      await end(options.folder === undefined ? 'SIGKILL' : 'SIGTERM')
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
  await rig.start()
  return rig
}

/** Waits until the server says that it is ready and answers. */
async function listening(child: ChildProcess, logFile: string, ask: () => Promise<unknown>): Promise<void> {
  const signal = AbortSignal.timeout(startTimeoutMs)
  while (!signal.aborted) {
    await sleep(20)
    if (child.exitCode !== null || child.signalCode !== null) break
    if (!/ready for connections.* port: [1-9]/.test(readFileSync(logFile, 'utf8'))) continue
    await ask()
    return
  }
  child.kill('SIGKILL')
  throw new Error(`MySQL did not start:\n${readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n')}`)
}
