import { setTimeout as sleep } from 'node:timers/promises'
import { isCommit } from '../rigs/mysql/mysql-packets.ts'
import type { FaultProxy } from '../rigs/tcp-fault-proxy.ts'
import type { Chance } from './crash-chance.ts'
import { isExecute, type PacketRule, type PacketSwitch, type Strike } from './crash-packets.ts'
import type { CrashRig } from './crash-rig.ts'
import type { CrashServer } from './crash-server.ts'

/** One way in which things go wrong. */
export interface Fault {
  readonly name: string
  /** Of three hundred trials. */
  readonly share: number
  /** The servers get over it by themselves: no caller has to send anything again. */
  readonly hidden: boolean
  inflict(stage: Stage, chance: Chance): Inflicted
}

export interface Stage {
  readonly rig: CrashRig
  readonly switches: readonly PacketSwitch[]
}

export interface Inflicted {
  /** Settles when writes may be sent: what strikes in the midst of them waits for nothing. */
  readonly ready: Promise<unknown>
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

interface PacketFault {
  readonly name: string
  readonly share: number
  readonly hidden?: boolean
  readonly at: (bytes: Buffer) => boolean
  /** It strikes at one of the first so many that match, and at up to two behind it. */
  readonly within: number
  /** How long a strike is felt. */
  readonly lastsMs?: number
  /** What it does at each of them. */
  readonly strike: (stage: Stage, chance: Chance) => (network: FaultProxy) => Strike | undefined
}

/** So long a server tells callers at once that it has no connection, after one could not be had: that is of the fault before. */
const holdOffMs = 250

function packetFault({ name, share, hidden = false, at, within, lastsMs = 0, strike }: PacketFault): Fault {
  return {
    ...{ name, share, hidden },
    inflict(stage, chance) {
      const struck = chance.isTrue(0.5) ? stage.switches : [chance.pick(stage.switches)]
      const strikeAt = strike(stage, chance)
      let skip = chance.below(within)
      let left = 1 + chance.below(3)
      let strikes = 0
      let endedMs = performance.now()
      const rule: PacketRule = (bytes, network) => {
        if (left === 0 || !at(bytes)) return undefined
        if (skip > 0) {
          skip -= 1
          return undefined
        }
        left -= 1
        strikes += 1
        endedMs = performance.now() + lastsMs
        return strikeAt(network)
      }
      for (const each of struck) each.rule = rule
      const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
      const over = stopped.then(async () => {
        for (const each of struck) each.rule = undefined
        await sleep(Math.max(0, endedMs - performance.now()))
        return { endedMs, strikes, restarted: undefined }
      })
      return { ready: sleep(hidden ? holdOffMs : 0), over, stop }
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
    ...{ name, share, hidden: false },
    inflict(stage, chance) {
      const begun = sleep(chance.below(25)).then(() => work(stage, chance))
      return {
        ready: Promise.resolve(),
        over: begun.then(({ endedMs, restarted }) => ({ endedMs, strikes: 1, restarted })),
        stop: () => undefined,
      }
    },
  }
}

function somePlaces({ rig }: Stage, chance: Chance): readonly CrashServer[] {
  return chance.isTrue(0.5) ? rig.servers : [chance.pick(rig.servers)]
}

const cutEverything = timedFault('every connection cut', 23, async (stage, chance) => {
  const servers = somePlaces(stage, chance)
  const refusing = chance.isTrue(0.5)
  for (let left = 1 + chance.below(3); left > 0; left -= 1) {
    for (const { network } of servers) {
      network.cutAll()
      network.refuse(refusing)
    }
    await sleep(chance.below(80))
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

const readOnlyFlip: Fault = {
  name: 'read-only for a while',
  share: 16,
  hidden: false,
  inflict({ rig: { mysql } }, chance) {
    // In the midst of a transaction the switch waits for its end, and its next statement for the switch: that costs every
    // writer the two seconds it waits for a lock, so most writes find it done.
    const inTheMidst = chance.isTrue(0.25)
    const set = sleep(inTheMidst ? chance.below(25) : 0).then(() => mysql.query('SET GLOBAL super_read_only = 1'))
    const over = set.then(async () => {
      await sleep(100 + chance.below(300))
      // Ends both; the other switch alone would leave it read-only for Tenure.
      await mysql.query('SET GLOBAL read_only = 0')
      return { endedMs: performance.now(), strikes: 1, restarted: undefined }
    })
    return { ready: inTheMidst ? Promise.resolve() : set, over, stop: () => undefined }
  },
}

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

/** One of these, for all strikes of a trial. */
function always(...strikes: readonly Strike[]): PacketFault['strike'] {
  return (_stage, chance) => {
    const strike = chance.pick(strikes)
    return () => strike
  }
}

/** COMMIT arrives, and every connection is cut while it is made durable, which takes a few milliseconds. */
const cutInTheMidst: PacketFault['strike'] = (_stage, chance) => {
  const afterMs = chance.below(4)
  return (network) => {
    setTimeout(network.cutAll, afterMs)
    return undefined
  }
}

const standstillMs = 200

/** COMMIT arrives, and MySQL is paused with it as a virtual machine may be: what it does with it, it does later. */
const standStill: PacketFault['strike'] = ({ rig: { mysql } }, chance) => {
  const afterMs = chance.below(4)
  const cuts = chance.isTrue(0.7)
  return (network) => {
    const { pid } = mysql
    if (pid === undefined) return undefined
    process.kill(pid, 'SIGSTOP')
    setTimeout(() => process.kill(pid, 'SIGCONT'), standstillMs)
    if (cuts) setTimeout(network.cutAll, afterMs)
    return undefined
  }
}

const deadlock = { code: 1213, sqlState: '40001' }
const lockWait = { code: 1205, sqlState: 'HY000' }
const readOnly = [1290, 1836].map((code) => ({ code, sqlState: 'HY000' }))

const commit = { at: isCommit, within: 2 }
/** About how many statements the writes of one trial execute on one server. */
const statement = { at: isExecute, within: 40 }

const faults: readonly Fault[] = [
  packetFault({ name: 'cut before COMMIT', share: 40, ...commit, strike: always('before') }),
  packetFault({ name: 'cut during COMMIT', share: 30, ...commit, strike: cutInTheMidst }),
  packetFault({ name: 'cut after COMMIT', share: 45, ...commit, strike: always('after') }),
  packetFault({ name: 'MySQL paused at COMMIT', share: 15, ...commit, strike: standStill, lastsMs: standstillMs }),
  packetFault({ name: '1213 at a statement', share: 30, ...statement, strike: always(deadlock) }),
  packetFault({ name: '1205 at a statement', share: 30, ...statement, strike: always(lockWait) }),
  packetFault({ name: '1213, 1205 at COMMIT', share: 20, hidden: true, ...commit, strike: always(deadlock, lockWait) }),
  packetFault({ name: '1290, 1836 at a statement', share: 15, ...statement, strike: always(...readOnly) }),
  packetFault({ name: '1290, 1836 at COMMIT', share: 10, ...commit, strike: always(...readOnly) }),
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
