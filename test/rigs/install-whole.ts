import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const rigs = join(import.meta.dirname, '../../.rigs')

/**
 * The folder `.rigs/<name>`, filled at the first call. What stands under that name is whole, because it gets the name
 * last; of two processes that install at once the slower one throws its own away.
 */
export async function installWhole(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const home = join(rigs, name)
  if (existsSync(home)) return home
  mkdirSync(rigs, { recursive: true })
  removeAbandoned(name)
  const unfinished = join(rigs, `${name}-${process.pid}`)
  try {
    await fill(unfinished)
    takeName(unfinished, home)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return home
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
function removeAbandoned(name: string): void {
  for (const found of readdirSync(rigs)) {
    const pid = found.startsWith(`${name}-`) ? Number(found.slice(name.length + 1)) : 0
    if (pid > 0 && !existsSync(`/proc/${pid}`)) rmSync(join(rigs, found), { recursive: true, force: true })
  }
}
