import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import { databaseUrlOf, ensureDatabase } from './test-database.ts'
import { ensureKeyring, keyringSettingsOf } from './test-keyring.ts'

const program = join(import.meta.dirname, '../../bin/tenure')

export interface ChildServer {
  readonly process: ChildProcess
  readonly grpcPort: number
  readonly httpUrl: string
}

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Settings that put everything of one installation into one folder, on ports the system chooses. */
export function childEnvironment(folder: string, env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(TENURE|VAULT)_/.test(name)))
  return {
    ...inherited,
    TENURE_DIAGNOSTICS_INTERVAL_MS: '0',
    TENURE_GRPC_ADDRESS: '127.0.0.1:0',
    TENURE_HTTP_ADDRESS: '127.0.0.1:0',
    TENURE_DATABASE_URL: databaseUrlOf(folder),
    ...keyringSettingsOf(folder),
    TENURE_ROOT_KEY_FILE: join(folder, 'root-api-key'),
    TENURE_AUDIT_CHECKPOINTS: `file:${join(folder, 'audit-checkpoints.jsonl')}`,
    TENURE_LOG_LEVEL: 'error',
    ...env,
  }
}

/** Runs the command line to its end. */
export async function runTenure(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Finished> {
  await Promise.all([ensureDatabase(env.TENURE_DATABASE_URL ?? ''), ensureKeyring(env)])
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk)
  })
  const [code, signal] = await once(child, 'close')
  return { code, signal, stdout, stderr }
}

/** A start that is refused with exit code 1 and words, nothing of a stack. Answers the words. */
export async function refusedStart(env: NodeJS.ProcessEnv, args: readonly string[] = ['serve']): Promise<string> {
  const { code, stderr } = await runTenure(args, env)
  expect(code).toBe(1)
  expect(stderr).not.toMatch(/\n\s+at /)
  return stderr.trim()
}

/** Starts a server in a process of its own and waits until it says that it listens. */
export async function startChild(env: NodeJS.ProcessEnv): Promise<ChildServer> {
  await Promise.all([ensureDatabase(env.TENURE_DATABASE_URL ?? ''), ensureKeyring(env)])
  const child = spawn(program, ['serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) {
    const found = /gRPC on \S+:(\d+);.* (https?:\/\/\S+)/.exec(line)
    if (found === null) continue
    child.stdout.resume()
    return { process: child, grpcPort: Number(found[1]), httpUrl: found[2] ?? '' }
  }
  throw new Error('the server ended before it listened')
}

export async function endChild(child: ChildServer, signal: NodeJS.Signals): Promise<Finished['code']> {
  if (child.process.exitCode !== null) return child.process.exitCode
  child.process.kill(signal)
  const [code] = await once(child.process, 'exit')
  return code
}
