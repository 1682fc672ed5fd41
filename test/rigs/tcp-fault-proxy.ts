import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type Direction = 'toServer' | 'toClient'

/** Bytes as they came in one piece; a small packet is one piece in practice. */
export type Cut = (bytes: Buffer, direction: Direction) => 'before' | 'after' | undefined

export interface RuleOptions {
  /** How often it applies; then it is gone. Default: once. */
  readonly times?: number
}

/** A network that does what networks do, in front of a server on this machine. Knows bytes only. */
export interface FaultProxy extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** How many are open. */
  connections(): number
  /** Each way, for what comes from now on. */
  setDelay(ms: number): void
  /** A black hole: what comes is taken and lost, ends of connections too. Off: connections go on, without what was lost. */
  swallow(on: boolean): void
  /** What comes is kept, and delivered in order when it is let go. */
  hold(on: boolean): void
  /** Resets every connection. */
  cutAll(): void
  /** Resets new connections at once. */
  refuse(on: boolean): void
  /**
   * Resets the connection on which `match` says so: `before`, the bytes are not delivered; `after`, they are. After bytes
   * for the server it waits for the answer and loses that: the server has done what it was told, and nobody hears of it.
   */
  cutWhen(match: Cut, options?: RuleOptions): void
  /** Answers matching bytes for the server itself, and does not deliver them. */
  replyWith(match: (bytes: Buffer) => boolean, reply: (bytes: Buffer) => Buffer, options?: RuleOptions): void
}

/** What to do with a piece of bytes instead of delivering it. Undefined: it is not the rule's concern. */
type Rule = (link: Link, bytes: Buffer, direction: Direction) => (() => void) | undefined

interface Faults {
  delayMs: number
  swallowing: boolean
  refusing: boolean
  /** Settled when what is held is let go. */
  held: PromiseWithResolvers<void> | undefined
  readonly rules: { rule: Rule; left: number }[]
}

export async function openFaultProxy(target: { host: string; port: number }): Promise<FaultProxy> {
  const faults: Faults = { delayMs: 0, swallowing: false, refusing: false, held: undefined, rules: [] }
  const links = new Set<Link>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (faults.refusing) {
      client.resetAndDestroy()
      return
    }
    const link = new Link(faults, client, connect({ ...target, allowHalfOpen: true, noDelay: true }))
    links.add(link)
    link.closed.then(() => links.delete(link))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cutAll = () => {
    for (const link of links) link.cut()
  }
  const addRule = (rule: Rule, { times = 1 }: RuleOptions = {}) => void faults.rules.push({ rule, left: times })
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    connections: () => links.size,
    setDelay(ms) {
      faults.delayMs = ms
    },
    swallow(on) {
      faults.swallowing = on
      if (on) return
      // Their end was lost with the rest, and nobody will say it again.
      for (const link of links) if (link.isHalfGone) link.cut()
    },
    hold(on) {
      if (on) {
        faults.held ??= Promise.withResolvers()
        return
      }
      faults.held?.resolve()
      faults.held = undefined
    },
    cutAll,
    refuse(on) {
      faults.refusing = on
    },
    cutWhen: (match, options) => addRule(cutRule(match), options),
    replyWith: (match, reply, options) => addRule(replyRule(match, reply), options),
    async [Symbol.asyncDispose]() {
      cutAll()
      server.close()
      await once(server, 'close')
    },
  }
}

function cutRule(match: Cut): Rule {
  return (link, bytes, direction) => {
    const when = match(bytes, direction)
    if (when === undefined) return undefined
    return () => {
      if (when === 'before') link.cut()
      else link.deliverLast(bytes, direction)
    }
  }
}

function replyRule(match: (bytes: Buffer) => boolean, reply: (bytes: Buffer) => Buffer): Rule {
  return (link, bytes, direction) =>
    direction === 'toServer' && match(bytes) ? () => link.deliver(reply(bytes), 'toClient') : undefined
}

/** One client's connection, and the one made to the server for it. */
class Link {
  readonly closed: Promise<unknown>
  readonly #faults: Faults
  readonly #ends: Readonly<Record<Direction, Socket>>
  /** What is on its way, in order. */
  readonly #line: Record<Direction, Promise<void>> = { toServer: Promise.resolve(), toClient: Promise.resolve() }
  #losesAnswer = false

  constructor(faults: Faults, client: Socket, server: Socket) {
    this.#faults = faults
    this.#ends = { toServer: server, toClient: client }
    this.#listen(client, 'toServer')
    this.#listen(server, 'toClient')
    this.closed = Promise.all([client, server].map((socket) => new Promise((resolve) => socket.once('close', resolve))))
  }

  get isHalfGone(): boolean {
    return Object.values(this.#ends).some((socket) => socket.readableEnded || socket.destroyed)
  }

  cut(): void {
    for (const socket of Object.values(this.#ends)) socket.resetAndDestroy()
  }

  deliver(bytes: Buffer, direction: Direction): void {
    this.#queue(direction, (socket) => socket.write(bytes))
  }

  /** Cuts once they are there: for the client's that is at once, for the server's when it has an answer. */
  deliverLast(bytes: Buffer, direction: Direction): void {
    this.#losesAnswer = direction === 'toServer'
    this.#queue(direction, (socket) => socket.write(bytes, () => this.#losesAnswer || this.cut()))
  }

  #listen(from: Socket, direction: Direction): void {
    // Bytes, since no encoding is set.
    from.on('data', (bytes) => this.#take(bytes as Buffer, direction))
    from.on('end', () => this.#faults.swallowing || this.#queue(direction, (socket) => socket.end()))
    // A reset is passed on as one.
    from.on('error', () => this.#faults.swallowing || this.cut())
  }

  #take(bytes: Buffer, direction: Direction): void {
    if (this.#faults.swallowing) return
    if (this.#losesAnswer && direction === 'toClient') {
      this.cut()
      return
    }
    for (const entry of this.#faults.rules) {
      const act = entry.left > 0 ? entry.rule(this, bytes, direction) : undefined
      if (act === undefined) continue
      entry.left -= 1
      act()
      return
    }
    this.deliver(bytes, direction)
  }

  #queue(direction: Direction, send: (socket: Socket) => void): void {
    const { delayMs, held } = this.#faults
    const due = performance.now() + delayMs
    this.#line[direction] = this.#line[direction].then(async () => {
      await held?.promise
      if (delayMs > 0) await sleep(Math.max(0, due - performance.now()))
      if (!this.#ends[direction].destroyed) send(this.#ends[direction])
    })
  }
}
