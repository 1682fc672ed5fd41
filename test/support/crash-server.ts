import type { DescService } from '@bufbuild/protobuf'
import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import type { FaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { type ChildServer, endChild, startChild } from './child-server.ts'

/** One server in a process of its own, behind a network to the database that can be told to fail. It can be killed and started again. */
export class CrashServer implements AsyncDisposable {
  readonly name: string
  readonly network: FaultProxy
  /** How often each message stood in its log. */
  readonly logged = new Map<string, number>()
  /** What it logged, or did, that no fault outside of it explains. */
  readonly complaints: string[] = []
  readonly #env: NodeJS.ProcessEnv
  readonly #transports = new Map<string, Transport>()
  #child: ChildServer | undefined

  constructor(name: string, network: FaultProxy, env: NodeJS.ProcessEnv) {
    this.name = name
    this.network = network
    this.#env = env
  }

  async start(): Promise<void> {
    const child = await startChild(this.#env)
    this.#child = child
    this.#transports.clear()
    let rest = ''
    child.process.stdout?.on('data', (chunk) => {
      const lines = `${rest}${String(chunk)}`.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#read(line)
    })
    child.process.once('exit', (code, signal) => {
      if (this.#child === child) this.complaints.push(`it ended by itself: code ${code}, signal ${signal}`)
    })
  }

  /** Ends it at once. Calls from now on find nobody. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    this.#transports.clear()
    if (child !== undefined) await endChild(child, 'SIGKILL')
  }

  /** A client that sends this key, to the process that runs now. */
  client<S extends DescService>(service: S, key: string): Client<S> {
    const known = this.#transports.get(key) ?? this.#openTransport(key)
    this.#transports.set(key, known)
    return createClient(service, known)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await this.network[Symbol.asyncDispose]()
  }

  #openTransport(key: string): Transport {
    return createConnectTransport({
      // Where nobody listens any more, a call fails as it would behind a balancer.
      baseUrl: this.#child?.httpUrl ?? 'http://127.0.0.1:1',
      httpVersion: '1.1',
      interceptors: [
        (next) => (request) => {
          request.header.set('authorization', `Bearer ${key}`)
          return next(request)
        },
      ],
    })
  }

  #read(line: string): void {
    const entry = entryFrom(line)
    if (entry === undefined) return
    const message = String(entry.msg)
    this.logged.set(message, (this.logged.get(message) ?? 0) + 1)
    if (!isExpected(message)) this.complaints.push(`it logged ${line.slice(0, 2_000)}`)
  }
}

function entryFrom(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** What a server says while its database cannot be reached. Everything else is said of a bug. */
const expected: readonly RegExp[] = [
  /^the database cannot be reached/,
  /^a connection could not be ended at the database/,
  /^a journal cannot be followed/,
  /^heads could not be compared/,
  /^a tenant could not be mirrored in the directory/,
  /^a change of the platform is committed and not taken in yet/,
  /^access events cannot be written; they are kept/,
  /^what changed in a tenant could not be read/,
]

function isExpected(message: string): boolean {
  return expected.some((pattern) => pattern.test(message))
}
