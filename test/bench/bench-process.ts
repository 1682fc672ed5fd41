import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A server of a benchmark in a process of its own, and what it said when it was ready. */
export interface BenchProcess<Ready> extends AsyncDisposable {
  readonly pid: number
  readonly ready: Ready
}

/** Puts a process, threads and all, on one core. */
export function pin(core: number, pid: number): void {
  try {
    execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' })
  } catch {
    process.stderr.write('taskset is not there: figures include the scheduler moving processes between cores\n')
  }
}

/** Starts `program` of this folder on the first core and waits for its first line, which is JSON. */
export async function startBenchProcess<Ready>(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<BenchProcess<Ready>> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, program), ...args],
    { env, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  if (child.stdout === null || child.pid === undefined) throw new Error(`${program} did not start`)
  const { pid } = child
  for await (const line of createInterface({ input: child.stdout })) {
    pin(0, pid)
    child.stdout.resume()
    return {
      pid,
      ready: JSON.parse(line) as Ready,
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null) return
        child.kill('SIGTERM')
        await once(child, 'exit')
      },
    }
  }
  throw new Error(`${program} ${args.join(' ')} ended before it was ready`)
}
