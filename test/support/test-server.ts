import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DescService } from '@bufbuild/protobuf'
import { type Client, createClient, type Interceptor, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import type { Clock } from '../../src/base/clock.ts'
import { bootstrapRootKey } from '../../src/bootstrap.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { type Log, silentLog } from '../../src/observe/log.ts'
import { openPlatform } from '../../src/platform.ts'
import { createRuntime, type Server, startServer } from '../../src/server.ts'
import type { StatementObserver } from '../../src/storage-parts.ts'
import { databaseUrlOf, ensureDatabase } from './test-database.ts'
import { ensureKeyring, keyringSettingsOf } from './test-keyring.ts'

export interface TestServer extends AsyncDisposable {
  readonly server: Server
  readonly config: Config
  readonly folder: string
  readonly databaseUrl: string
  readonly rootKey: string
  readonly httpUrl: string
  /** A client that sends this key; none: no credential at all. */
  client<S extends DescService>(service: S, key?: string): Client<S>
  transport(key?: string): Transport
  /** Stops the server but keeps its folder, for a second start. */
  stop(): Promise<void>
}

export interface TestServerOptions {
  readonly folder?: string
  readonly clock?: Clock
  /** Silent when unset. */
  readonly log?: Log
  readonly observeStatement?: StatementObserver
  readonly env?: Readonly<Record<string, string>>
}

export function testConfig(folder: string, env: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({
    env: {
      // A look in the middle of a test would find what the test has done, and add tenants of its own.
      TENURE_DIAGNOSTICS_INTERVAL_MS: '0',
      TENURE_GRPC_ADDRESS: '127.0.0.1:0',
      TENURE_HTTP_ADDRESS: '127.0.0.1:0',
      TENURE_DATABASE_URL: databaseUrlOf(folder),
      // Who names a keyring says everything about it.
      ...(env.TENURE_KEYRING === undefined ? keyringSettingsOf(folder) : {}),
      TENURE_ROOT_KEY_FILE: join(folder, 'root-api-key'),
      TENURE_AUDIT_CHECKPOINTS: `file:${join(folder, 'audit-checkpoints.jsonl')}`,
      ...env,
    },
    readFile: (path) => readFileSync(path),
  })
}

/** The whole real server, on ports of its own and a folder of its own, made through the public factory. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'tenure-'))
  const databaseUrl = options.env?.TENURE_DATABASE_URL ?? databaseUrlOf(folder)
  await Promise.all([ensureDatabase(databaseUrl), ensureKeyring({ ...keyringSettingsOf(folder), ...options.env })])
  const config = testConfig(folder, options.env)
  const { clock, observeStatement } = options
  const overrides = {
    log: options.log ?? silentLog,
    ...(clock === undefined ? {} : { clock }),
    ...(observeStatement === undefined ? {} : { observeStatement }),
  }
  {
    const runtime = createRuntime(config, overrides)
    await using platform = await openPlatform(config, runtime)
    await bootstrapRootKey(platform, runtime, config)
  }
  const server = await startServer(config, overrides)
  const rootKey = readFileSync(config.rootKeyFile, 'utf8').trim()
  const httpUrl = `http://127.0.0.1:${server.httpPort}`
  let stopped: PromiseLike<void> | undefined
  const stop = async () => {
    stopped ??= server[Symbol.asyncDispose]()
    await stopped
  }
  const transport = (key?: string) => transportTo(httpUrl, key)
  return {
    ...{ server, config, folder, databaseUrl, rootKey, httpUrl, stop, transport },
    client: (service, key = rootKey) => createClient(service, transport(key)),
    async [Symbol.asyncDispose]() {
      await stop()
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Connect over HTTP/1.1, with this key; none: with no credential at all. */
export function transportTo(httpUrl: string, key: string | undefined): Transport {
  return createConnectTransport({ baseUrl: httpUrl, httpVersion: '1.1', interceptors: bearer(key) })
}

function bearer(key: string | undefined): Interceptor[] {
  if (key === undefined || key === '') return []
  return [
    (next) => (request) => {
      request.header.set('authorization', `Bearer ${key}`)
      return next(request)
    },
  ]
}
