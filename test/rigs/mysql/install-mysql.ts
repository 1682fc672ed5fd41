import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { unpackDebianPackages } from './debian-packages.ts'
import { initializeData } from './mysqld.ts'

const rigs = join(import.meta.dirname, '../../../.rigs')

export interface InstalledMysql {
  /** What the packages hold, as if it were the root of a machine. */
  readonly root: string
  /** A data folder that was never used, to be copied: making one takes twenty times as long. */
  readonly template: string
}

/**
 * The MySQL of Debian sid in `.rigs/mysql`, run from there on any Debian; installed at the first call. What stands under
 * that name is whole, because it gets the name last; of two processes that install at once the slower one throws its own away.
 */
export async function installMysql(): Promise<InstalledMysql> {
  const home = join(rigs, 'mysql')
  if (!existsSync(home)) await install(home)
  return partsOf(home)
}

function partsOf(home: string): InstalledMysql {
  return { root: join(home, 'root'), template: join(home, 'template') }
}

async function install(home: string): Promise<void> {
  mkdirSync(rigs, { recursive: true })
  removeAbandoned()
  const unfinished = join(rigs, `mysql-${process.pid}`)
  const { root, template } = partsOf(unfinished)
  try {
    say('downloading it from Debian sid, about 60 MB')
    mkdirSync(root, { recursive: true })
    const scratch = join(unfinished, 'scratch')
    const count = await unpackDebianPackages({ suite: 'sid', packages: ['mysql-server-core'], root, scratch })
    say(`unpacked ${count} packages; making an empty database`)
    await initializeData(root, template)
    takeName(unfinished, home)
    say('ready')
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

function takeName(unfinished: string, home: string): void {
  try {
    renameSync(unfinished, home)
  } catch (error) {
    // Refused where another process was first.
    if (!existsSync(home)) throw error
  }
}

/** What a process left that was killed while it installed. */
function removeAbandoned(): void {
  for (const name of readdirSync(rigs)) {
    const pid = Number(/^mysql-(\d+)$/.exec(name)?.[1] ?? 0)
    if (pid > 0 && !existsSync(`/proc/${pid}`)) rmSync(join(rigs, name), { recursive: true, force: true })
  }
}

function say(what: string): void {
  process.stderr.write(`MySQL: ${what}\n`)
}
