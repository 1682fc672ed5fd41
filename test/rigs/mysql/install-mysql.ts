import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { installWhole } from '../install-whole.ts'
import { unpackDebianPackages } from './debian-packages.ts'
import { initializeData } from './mysqld.ts'

export interface InstalledMysql {
  /** What the packages hold, as if it were the root of a machine. */
  readonly root: string
  /** A data folder that was never used, to be copied: making one takes twenty times as long. */
  readonly template: string
}

/** The MySQL of Debian sid in `.rigs/mysql`, run from there on any Debian; installed at the first call. */
export async function installMysql(): Promise<InstalledMysql> {
  return partsOf(await installWhole('mysql', fill))
}

function partsOf(home: string): InstalledMysql {
  return { root: join(home, 'root'), template: join(home, 'template') }
}

async function fill(folder: string): Promise<void> {
  const { root, template } = partsOf(folder)
  say('downloading it from Debian sid, about 60 MB')
  mkdirSync(root, { recursive: true })
  const scratch = join(folder, 'scratch')
  const count = await unpackDebianPackages({ suite: 'sid', packages: ['mysql-server-core'], root, scratch })
  say(`unpacked ${count} packages; making an empty database`)
  await initializeData(root, template)
  say('ready')
}

function say(what: string): void {
  process.stderr.write(`MySQL: ${what}\n`)
}
