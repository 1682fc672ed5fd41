import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '../..')
const ordersFolder = join(root, 'examples/orders-service')

export interface ChildOrders extends AsyncDisposable {
  readonly process: ChildProcess
  readonly url: string
  /** What it wrote to its log so far. */
  log(): string
}

/** Installs the example as its README says, with the SDK as the sources have it now. */
export function installOrders(): void {
  execFileSync(process.execPath, [join(root, 'scripts/install-orders-service.ts')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

/** What the compiler finds wrong with it. */
export function compileOrders(): string {
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc')
  return spawnSync(process.execPath, [compiler, '-p', ordersFolder], { encoding: 'utf8' }).stdout
}

/** Settings of the service and nothing else of this process but where programs are found. */
export function ordersEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, ORDERS_ADDRESS: '127.0.0.1:0', ORDERS_AUDIENCE: 'orders', ...settings }
}

export function spawnOrders(env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, ['src/main.ts'], { cwd: ordersFolder, env, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Starts it in a process of its own and waits until it says that it listens. */
export async function startOrders(env: NodeJS.ProcessEnv): Promise<ChildOrders> {
  const child = spawnOrders(env)
  let log = ''
  child.stderr?.on('data', (chunk) => {
    log += String(chunk)
  })
  if (child.stdout === null) throw new Error('the service has no output')
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^orders-service listens on (http:\S+)$/.exec(line)?.[1]
    if (url === undefined) continue
    child.stdout.resume()
    return {
      process: child,
      url,
      log: () => log,
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill('SIGKILL')
        await once(child, 'exit')
      },
    }
  }
  throw new Error(`the service ended before it listened: ${log}`)
}
