import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

/** Of an account that is made for this installation: made once, readable by its owner only. */
export function readPassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 })
  return readFileSync(file, 'utf8')
}

/** Programs that are started one behind the other or beside each other, and told to stop together. */
export interface LocalPrograms {
  readonly stopping: boolean
  /** Runs `tenure` to its end; answers its exit code. */
  tenure(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number>
  start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess
}

/** Programs run out of the terminal's reach: they hear of Ctrl-C from here, once for each time. */
export function localPrograms(): LocalPrograms {
  const running = new Set<ChildProcess>()
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stopping = true
      for (const child of running) child.kill(signal)
    })
  }
  const start: LocalPrograms['start'] = (program, args, options) => {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit'], ...options })
    running.add(child)
    child.once('exit', () => running.delete(child))
    return child
  }
  return {
    start,
    get stopping() {
      return stopping
    },
    async tenure(args, env) {
      if (stopping) return 0
      const [code] = (await once(start(join(root, 'bin/tenure'), args, { env }), 'exit')) as [number | null]
      return code ?? 1
    },
  }
}
