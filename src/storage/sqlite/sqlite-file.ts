import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StartError } from '../../base/start-error.ts'

/** Tells a Tenure database from any other SQLite file: `Tnr1`. */
const applicationId = 0x546e7231

export interface ClaimedFile extends Disposable {
  readonly path: string
}

/**
 * Makes this process the only owner of a database file, until disposed or dead: a second server, `migrate` or `bootstrap`
 * beside it would write behind the back of its caches. The claim is a lock of the operating system on a file beside it,
 * so that a crash frees it.
 */
export function claimSqliteFile(file: string): ClaimedFile {
  const path = resolve(file)
  prepareFolder(dirname(path))
  checkHeader(path)
  const lock = lockFile(`${path}.lock`)
  try {
    checkDatabase(path)
  } catch (error) {
    lock.close()
    throw error
  }
  return { path, [Symbol.dispose]: () => lock.close() }
}

function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new StartError(
      `The folder ${folder} cannot be made (${codeOf(error)}). Make it, or choose another database file.`,
    )
  }
}

/** SQLite would take any file that is empty or begins with its magic; everything else is not ours to touch. */
function checkHeader(path: string): void {
  if (!existsSync(path)) return
  try {
    if (!statSync(path).isFile()) throw new StartError(`${path} is not a file. Choose another database file.`)
    const file = openSync(path, 'r+')
    const header = Buffer.alloc(16)
    const length = readSync(file, header, 0, 16, 0)
    closeSync(file)
    if (length > 0 && header.toString('latin1') !== 'SQLite format 3\0') {
      throw new StartError(
        `${path} is not a Tenure database: it is damaged, or another program's. Restore it, or choose another file.`,
      )
    }
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(
      `${path} cannot be opened for writing (${codeOf(error)}). Mend its permissions, or choose another file.`,
    )
  }
}

function lockFile(path: string): DatabaseSync {
  try {
    const lock = new DatabaseSync(path)
    try {
      lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    } catch {
      lock.close()
      throw new StartError(
        `Another Tenure process uses this database (${path} is locked). Stop it first; a second one beside it could not see its changes.`,
      )
    }
    chmodSync(path, 0o600)
    return lock
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(
      `The folder ${dirname(path)} cannot be written to. Mend its permissions, or choose another database file.`,
    )
  }
}

function checkDatabase(path: string): void {
  const isNew = !existsSync(path) || statSync(path).size === 0
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    chmodSync(path, 0o600)
    if (isNew) {
      database.exec(`PRAGMA application_id = ${applicationId}`)
      return
    }
    const row = database.prepare('PRAGMA application_id').get()
    if (row?.application_id !== applicationId) {
      throw new StartError(
        `${path} is a SQLite database of another program, not a Tenure database. Choose another file.`,
      )
    }
    const check = database.prepare('PRAGMA quick_check(1)').get()
    if (check?.quick_check !== 'ok') throw new StartError(damaged(path))
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(damaged(path))
  } finally {
    database?.close()
  }
}

function damaged(path: string): string {
  return `${path} is damaged. Restore it from a backup, or move it away to begin anew.`
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
