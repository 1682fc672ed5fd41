import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { type ChildServer, childEnvironment, endChild, runTenure, startChild } from '../support/child-server.ts'
import type { TestServer } from '../support/test-server.ts'

/** A server in a process of its own: its memory is its own, and it can be seen to live. */
export interface ChildRig extends AsyncDisposable {
  readonly child: ChildServer
  readonly rootKey: string
  readonly databaseUrl: string
  /** What the fixture needs of a server. */
  readonly seeding: TestServer
  residentMegabytes(): number
}

export async function startChildRig(): Promise<ChildRig> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-attack-'))
  const env = childEnvironment(folder)
  await runTenure(['bootstrap'], env)
  const child = await startChild(env)
  const rootKey = readFileSync(join(folder, 'root-api-key'), 'utf8').trim()
  const transport = (key: string) =>
    createConnectTransport({
      baseUrl: child.httpUrl,
      httpVersion: '1.1',
      interceptors: [
        (next) => (request) => {
          request.header.set('authorization', `Bearer ${key}`)
          return next(request)
        },
      ],
    })
  const client: TestServer['client'] = (service, key = rootKey) => createClient(service, transport(key))
  return {
    child,
    rootKey,
    databaseUrl: env.TENURE_DATABASE_URL ?? '',
    seeding: { client } as TestServer,
    residentMegabytes() {
      const status = readFileSync(`/proc/${child.process.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
    },
    async [Symbol.asyncDispose]() {
      await endChild(child, 'SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
