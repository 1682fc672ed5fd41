import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface BaoServerOptions {
  readonly program: string
  readonly folder: string
  readonly port: number
  readonly clusterPort: number
}

const startTimeoutMs = 30_000

/** Starts a server that dies with this process, however that ends, and that Ctrl-C does not reach. It comes up sealed. */
export async function spawnBao(options: BaoServerOptions): Promise<ChildProcess> {
  const { program, folder } = options
  const configFile = join(folder, 'config.hcl')
  const logFile = join(folder, 'bao.log')
  writeFileSync(configFile, configOf(options), { mode: 0o600 })
  const log = openSync(logFile, 'a', 0o600)
  const args = ['--pdeathsig', 'KILL', '--', program, 'server', `-config=${configFile}`]
  const child = spawn('setpriv', args, { detached: true, stdio: ['ignore', log, log], env: { PATH: process.env.PATH } })
  closeSync(log)
  await once(child, 'spawn')
  await listening(child, options, logFile)
  return child
}

/** On the disk, and audited: raft is the one store on a disk that OpenBao has. */
function configOf({ folder, port, clusterPort }: BaoServerOptions): string {
  return `
storage "raft" {
  path = "${join(folder, 'data')}"
  node_id = "node-1"
  performance_multiplier = 1
}
listener "tcp" {
  address = "127.0.0.1:${port}"
  cluster_address = "127.0.0.1:${clusterPort}"
  tls_disable = true
}
api_addr = "http://127.0.0.1:${port}"
cluster_addr = "https://127.0.0.1:${clusterPort}"
audit "file" "file" {
  options {
    file_path = "${join(folder, 'audit.log')}"
  }
}
`
}

async function listening(child: ChildProcess, { port }: BaoServerOptions, logFile: string): Promise<void> {
  const signal = AbortSignal.timeout(startTimeoutMs)
  while (!signal.aborted && child.exitCode === null && child.signalCode === null) {
    try {
      await fetch(`http://127.0.0.1:${port}/v1/sys/health`, { signal })
      return
    } catch {
      await sleep(20)
    }
  }
  child.kill('SIGKILL')
  throw new Error(`OpenBao did not start:\n${readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n')}`)
}
