import { setTimeout as sleep } from 'node:timers/promises'
import { isCommit, mysqlErrorPacket } from '../rigs/mysql/mysql-packets.ts'
import type { FaultProxy } from '../rigs/tcp-fault-proxy.ts'
import type { Chance } from './crash-chance.ts'
import type { CrashRig } from './crash-rig.ts'
import type { CrashServer } from './crash-server.ts'

/** One way in which things go wrong. */
export interface Fault {
  readonly name: string
  /** Of three hundred trials. */
  readonly share: number
  inflict(stage: Stage, chance: Chance): Inflicted
}

export interface Stage {
  readonly rig: CrashRig
  readonly switches: readonly PacketSwitch[]
}

export interface Inflicted {
  /** Settles when everything outside the servers is as it was, and what was killed runs again. */
  readonly over: Promise<FaultEnd>
  /** To be called when the writes have settled: what waits for packets to strike at waits no longer. */
  stop(): void
}

export interface FaultEnd {
  /** On the monotonic clock: from here on there is nothing to wait for. */
  readonly endedMs: number
  /** How often it struck. */
  readonly strikes: number
  /** A server that was killed: what it says of its recovery is how long a start takes. */
  readonly restarted: CrashServer | undefined
}

/** What happens to a piece of bytes on its way: its connection is cut, or it is answered with an error. */
type Strike = 'before' | 'after' | { readonly code: number; readonly sqlState: string }
type PacketRule = (bytes: Buffer) => Strike | undefined

/** The rules of a network cannot be taken out of it again, so two stay in it for good and ask here what to do. */
export class PacketSwitch {
  rule: PacketRule | undefined
  #strike: Strike | undefined

  constructor(network: FaultProxy) {
    const forever = { times: Number.POSITIVE_INFINITY }
    // Asked first, and for both: a rule counts how often it was asked.
    const isAnswered = (bytes: Buffer): boolean => {
      this.#strike = this.rule?.(bytes)
      return typeof this.#strike === 'object'
    }
    network.replyWith(isAnswered, () => this.#reply(), forever)
    network.cutWhen((_bytes, direction) => (direction === 'toServer' ? this.#cut() : undefined), forever)
  }

  #reply(): Buffer {
    if (typeof this.#strike !== 'object') throw new Error('there is nothing to answer')
    return mysqlErrorPacket(1, this.#strike.code, this.#strike.sqlState, 'made up')
  }

  #cut(): 'before' | 'after' | undefined {
    return typeof this.#strike === 'object' ? undefined : this.#strike
  }
}

const comStmtExecute = 0x17
const headerBytes = 4

/** A prepared statement that is executed, and nothing else in the same piece. */
function isExecute(bytes: Buffer): boolean {
  return (
    bytes.length > headerBytes &&
    bytes[headerBytes] === comStmtExecute &&
    bytes.readUIntLE(0, 3) === bytes.length - headerBytes
  )
}

interface PacketFault {
  readonly name: string
  readonly share: number
  readonly at: (bytes: Buffer) => boolean
  /** It strikes at one of the first so many that match, and at up to two behind it. */
  readonly within: number
  readonly strikes: readonly Strike[]
}

function packetFault({ name, share, at, within, strikes }: PacketFault): Fault {
  return {
    name,
    share,
    inflict({ switches }, chance) {
      const struck = chance.isTrue(0.5) ? switches : [chance.pick(switches)]
      const strike = chance.pick(strikes)
      let skip = chance.below(within)
      let left = 1 + chance.below(3)
      let strikeCount = 0
      let endedMs = performance.now()
      const rule: PacketRule = (bytes) => {
        if (left === 0 || !at(bytes)) return undefined
        if (skip > 0) {
          skip -= 1
          return undefined
        }
        left -= 1
        strikeCount += 1
        endedMs = performance.now()
        return strike
      }
      for (const each of struck) each.rule = rule
      const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
      const over = stopped.then(() => {
        for (const each of struck) each.rule = undefined
        return { endedMs, strikes: strikeCount, restarted: undefined }
      })
      return { over, stop }
    },
  }
}

/** A fault that begins in the middle of the writes and ends by itself. */
function timedFault(
  name: string,
  share: number,
  work: (stage: Stage, chance: Chance) => Promise<{ readonly endedMs: number; readonly restarted?: CrashServer }>,
): Fault {
  return {
    name,
    share,
    inflict(stage, chance) {
      const begun = sleep(chance.below(25)).then(() => work(stage, chance))
      return {
        over: begun.then(({ endedMs, restarted }) => ({ endedMs, strikes: 1, restarted })),
        stop: () => undefined,
      }
    },
  }
}

function somePlaces({ rig }: Stage, chance: Chance): readonly CrashServer[] {
  return chance.isTrue(0.5) ? rig.servers : [chance.pick(rig.servers)]
}

const cutEverything = timedFault('every connection cut', 35, async (stage, chance) => {
  const servers = somePlaces(stage, chance)
  const refusing = chance.isTrue(0.3)
  for (let left = 1 + chance.below(3); left > 0; left -= 1) {
    for (const { network } of servers) {
      network.cutAll()
      network.refuse(refusing)
    }
    await sleep(chance.below(60))
  }
  for (const { network } of servers) network.refuse(false)
  return { endedMs: performance.now() }
})

const slowNetwork = timedFault('50 ms late, each way', 10, async (stage, chance) => {
  const servers = somePlaces(stage, chance)
  for (const { network } of servers) network.setDelay(50)
  await sleep(150 + chance.below(250))
  for (const { network } of servers) network.setDelay(0)
  return { endedMs: performance.now() }
})

const readOnlyFlip = timedFault('read-only for a while', 18, async ({ rig: { mysql } }, chance) => {
  await mysql.query('SET GLOBAL super_read_only = 1')
  await sleep(100 + chance.below(300))
  // Ends both; the other switch alone would leave it read-only for Tenure.
  await mysql.query('SET GLOBAL read_only = 0')
  return { endedMs: performance.now() }
})

const killServer = timedFault('kill -9 of a server', 10, async ({ rig }, chance) => {
  const server = chance.pick(rig.servers)
  await server.kill()
  const endedMs = performance.now()
  await server.start()
  return { endedMs, restarted: server }
})

const killMysql = timedFault('kill -9 of MySQL', 6, async ({ rig: { mysql } }) => {
  await mysql.kill()
  await mysql.start()
  return { endedMs: performance.now() }
})

const deadlock = { code: 1213, sqlState: '40001' }
const lockWait = { code: 1205, sqlState: 'HY000' }
const readOnly = [1290, 1836].map((code) => ({ code, sqlState: 'HY000' }))

/** About how many statements the writes of one trial execute on one server. */
const statements = 60

export const faults: readonly Fault[] = [
  packetFault({ name: 'cut before COMMIT', share: 50, at: isCommit, within: 2, strikes: ['before'] }),
  packetFault({ name: 'cut after COMMIT', share: 60, at: isCommit, within: 2, strikes: ['after'] }),
  packetFault({ name: '1213 at a statement', share: 33, at: isExecute, within: statements, strikes: [deadlock] }),
  packetFault({ name: '1205 at a statement', share: 33, at: isExecute, within: statements, strikes: [lockWait] }),
  packetFault({ name: '1213, 1205 at COMMIT', share: 20, at: isCommit, within: 2, strikes: [deadlock, lockWait] }),
  packetFault({ name: '1290, 1836 at a statement', share: 15, at: isExecute, within: statements, strikes: readOnly }),
  packetFault({ name: '1290, 1836 at COMMIT', share: 10, at: isCommit, within: 2, strikes: readOnly }),
  cutEverything,
  slowNetwork,
  readOnlyFlip,
  killServer,
  killMysql,
]

/** As many faults as there are trials, in the order of chance; each as often as its share says. */
export function shuffledFaults(trials: number, chance: Chance): readonly Fault[] {
  const all = faults.reduce((sum, { share }) => sum + share, 0)
  const fair = faults.flatMap((fault) => Array.from({ length: Math.ceil((fault.share * trials) / all) }, () => fault))
  return chance.shuffled(fair).slice(0, trials)
}
