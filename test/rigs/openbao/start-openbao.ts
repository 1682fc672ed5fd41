import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { askBao, type BaoBody, serving } from './bao-api.ts'
import { spawnBao } from './bao-server.ts'
import { installOpenBao } from './install-openbao.ts'

export interface StartOpenBaoOptions {
  /** Where its data, its unseal key and its root token are kept, and found again by the next start. Default: a folder that goes with it. */
  readonly folder?: string
}

export interface AppRole {
  readonly roleId: string
  readonly secretId: string
}

export interface TokenOptions {
  /** Policies beside `default`. */
  readonly policies: readonly string[]
  readonly ttlSeconds: number
  /** Renewals lead no further than this. Default: none but the server's. */
  readonly maxTtlSeconds?: number
}

/** A real OpenBao of this process's own, durable as in production, on one port over every start. */
export interface OpenBaoRig extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly address: string
  readonly rootToken: string
  /** Undefined while it is stopped. */
  readonly pid: number | undefined
  /** Starts it again on the same data, and unseals it. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>
  /** Takes its time away, and gives it back: connections stay, and nothing is answered. */
  pause(): Promise<void>
  resume(): void
  seal(): Promise<void>
  unseal(): Promise<void>
  /** As root. Throws for what is not answered with a 2xx. */
  ask(method: string, path: string, body?: object): Promise<BaoBody>
  mountTransit(mount: string): Promise<void>
  writePolicy(name: string, policy: string): Promise<void>
  makeToken(options: TokenOptions): Promise<string>
  makeAppRole(name: string, options: TokenOptions): Promise<AppRole>
  /** How many requests whose path begins so were made since the server has this folder. */
  audited(path: string): number
}

const host = '127.0.0.1'

interface Keys {
  readonly unsealKey: string
  readonly rootToken: string
}

export async function startOpenBao(options: StartOpenBaoOptions = {}): Promise<OpenBaoRig> {
  const program = await installOpenBao()
  const folder = resolve(options.folder ?? mkdtempSync(join(tmpdir(), 'tenure-openbao-')))
  mkdirSync(join(folder, 'data'), { recursive: true, mode: 0o700 })
  const server = createProcess({ program, folder, port: await freePort(), clusterPort: await freePort() })
  const address = `http://${host}:${server.port}`
  await server.spawn()
  const keys = await initialize(address, join(folder, 'keys.json'))
  const unseal = async () => {
    await demand(address, undefined, 'POST', 'sys/unseal', { key: keys.unsealKey })
    await serving(address)
  }
  const ask = (method: string, path: string, body?: object) => demand(address, keys.rootToken, method, path, body)
  await unseal()
  return {
    ...{ host, address, port: server.port, rootToken: keys.rootToken, unseal, ask },
    ...administration(ask),
    get pid() {
      return server.pid
    },
    async start() {
      await server.spawn()
      await unseal()
    },
    stop: () => server.end('SIGTERM'),
    kill: () => server.end('SIGKILL'),
    pause: () => server.pause(),
    resume: () => server.resume(),
    seal: async () => void (await ask('POST', 'sys/seal')),
    audited: (path) => countRequests(join(folder, 'audit.log'), path),
    async [Symbol.asyncDispose]() {
      await server.end(options.folder === undefined ? 'SIGKILL' : 'SIGTERM')
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

function createProcess(options: Parameters<typeof spawnBao>[0]) {
  let child: ChildProcess | undefined
  return {
    port: options.port,
    get pid() {
      return child?.pid
    },
    async spawn() {
      child = await spawnBao(options)
    },
    /** Resolves when it has stopped: a busy machine takes its time. */
    async pause() {
      child?.kill('SIGSTOP')
      while (child?.pid !== undefined && !isStopped(child.pid)) await sleep(5)
    },
    resume() {
      child?.kill('SIGCONT')
    },
    async end(signal: NodeJS.Signals) {
      const ending = child
      child = undefined
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
      ending.kill(signal)
      // One that is paused hears of nothing else.
      ending.kill('SIGCONT')
      await once(ending, 'exit')
    },
  }
}

function isStopped(pid: number): boolean {
  const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
  return state === 'T'
}

/** One share is enough where nobody has to be kept out. */
async function initialize(address: string, file: string): Promise<Keys> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'))
  const body = { secret_shares: 1, secret_threshold: 1 }
  const { root_token: rootToken, keys_base64: shares } = await demand(address, undefined, 'POST', 'sys/init', body)
  if (rootToken === undefined || shares?.[0] === undefined) throw new Error('OpenBao was initialised and gave no keys')
  const keys = { unsealKey: shares[0], rootToken }
  writeFileSync(file, JSON.stringify(keys), { mode: 0o600 })
  return keys
}

async function demand(address: string, token: string | undefined, method: string, path: string, body?: object) {
  const answer = await askBao(address, token, method, path, body)
  if (answer.status < 300) return answer.body
  throw new Error(`OpenBao answered ${method} ${path} with ${answer.status}: ${answer.body.errors?.join('; ')}`)
}

function administration(
  ask: OpenBaoRig['ask'],
): Pick<OpenBaoRig, 'mountTransit' | 'writePolicy' | 'makeToken' | 'makeAppRole'> {
  return {
    mountTransit: async (mount) => void (await ask('POST', `sys/mounts/${mount}`, { type: 'transit' })),
    writePolicy: async (name, policy) => void (await ask('POST', `sys/policies/acl/${name}`, { policy })),
    async makeToken({ policies, ttlSeconds, maxTtlSeconds }) {
      const longest = maxTtlSeconds === undefined ? {} : { explicit_max_ttl: `${maxTtlSeconds}s` }
      const body = { policies, ttl: `${ttlSeconds}s`, no_parent: true, ...longest }
      const { auth } = await ask('POST', 'auth/token/create', body)
      if (auth === undefined) throw new Error('OpenBao made no token')
      return auth.client_token
    },
    async makeAppRole(name, { policies, ttlSeconds, maxTtlSeconds = 0 }) {
      const { data = {} } = await ask('GET', 'sys/auth')
      if (data['approle/'] === undefined) await ask('POST', 'sys/auth/approle', { type: 'approle' })
      const role = `auth/approle/role/${name}`
      await ask('POST', role, {
        token_policies: policies,
        token_ttl: `${ttlSeconds}s`,
        token_max_ttl: `${maxTtlSeconds}s`,
      })
      const roleId = (await ask('GET', `${role}/role-id`)).data?.role_id
      const secretId = (await ask('POST', `${role}/secret-id`)).data?.secret_id
      return { roleId: String(roleId), secretId: String(secretId) }
    },
  }
}

function countRequests(file: string, path: string): number {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => {
    if (line === '') return false
    const { type, request } = JSON.parse(line) as { type: string; request: { path?: string } }
    return type === 'request' && request.path?.startsWith(path) === true
  }).length
}
