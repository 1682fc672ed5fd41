import { randomFillSync } from 'node:crypto'
import type { CheckpointEvents } from '../../src/assurance/checkpoints/checkpoint-events.ts'
import { startCheckpointKeeper } from '../../src/assurance/checkpoints/checkpoint-keeper.ts'
import type { CheckpointSink } from '../../src/assurance/checkpoints/checkpoint-sink.ts'
import { makeSigningKey, openSigningKey } from '../../src/jwt/signing-key.ts'
import { type ChainEnds, type ChainNow, type ChainPlace, keyOf } from '../../src/tenancy/chain-ends.ts'
import type { CheckpointBook, CheckpointEnd } from '../../src/tenancy/checkpoint-book.ts'
import type { AuditCheckpointRow } from '../../src/tenancy/checkpoint-tables.ts'

export interface CheckpointHooks {
  /** When ends of chains have been read. */
  reading?: () => void
  page?: () => void
  sink?: CheckpointSink
}

export interface CheckpointWorld {
  readonly chains: ChainNow[]
  readonly rows: AuditCheckpointRow[]
  readonly told: string[]
  readonly hooks: CheckpointHooks
  grown(...places: ChainPlace[]): void
  missed(): void
  /** After so many milliseconds. */
  round(afterMs?: number): Promise<void>
}

export const hashOf = (sequence: number) => Buffer.alloc(32, sequence)

export function chain(tenantId: string, sequence: number, more: Partial<ChainNow> = {}): ChainNow {
  const place = { tenantId, chain: 'authority', tenantSlug: tenantId, tenantState: 'ACTIVE', timelineId: 'first' }
  return { ...place, sequence, chainHash: hashOf(sequence), ...more }
}

/** A keeper over chains and checkpoints that are in memory: for what no test could make real ones do at a given moment. */
export async function openCheckpointWorld(chains: ChainNow[]): Promise<CheckpointWorld> {
  const key = await openSigningKey(await makeSigningKey((bytes) => void randomFillSync(bytes)))
  const rows: AuditCheckpointRow[] = []
  const told: string[] = []
  const hooks: CheckpointHooks = {}
  let nowMs = 1_800_000_000_000
  const keeper = startCheckpointKeeper({
    ...{ ends: endsIn(chains, hooks), book: bookOver(rows), signingKey: () => key, jitter: () => 1, maker: 'me' },
    sink: { ship: async (id, line) => hooks.sink?.ship(id, line) },
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    events: eventsInto(told),
  })
  return {
    ...{ chains, rows, told, hooks },
    grown(...places) {
      for (const place of places) keeper.grown(place)
    },
    missed: () => keeper.missed(),
    async round(afterMs = 0) {
      nowMs += afterMs
      await keeper.round()
    },
  }
}

function endsIn(chains: readonly ChainNow[], hooks: CheckpointHooks): ChainEnds {
  const at = (place: ChainPlace) => chains.find((each) => keyOf(each) === keyOf(place))
  return {
    async now(places) {
      const found = places.map(at)
      hooks.reading?.()
      return found
    },
    hashesAt: async (points) =>
      points.map((point) => {
        const there = at(point)
        return there === undefined || there.tenantState === 'PURGED' ? undefined : hashOf(point.sequence)
      }),
    async page(after) {
      hooks.page?.()
      const later = [...new Set(chains.map(({ tenantId }) => tenantId))].filter((id) => id > after)
      const ids = later.sort().slice(0, 2)
      return { chains: chains.filter(({ tenantId }) => ids.includes(tenantId)), last: ids.at(-1) }
    },
  }
}

function bookOver(rows: AuditCheckpointRow[]): CheckpointBook {
  const known = new Map<string, CheckpointEnd>()
  return {
    last: async () => rows.at(-1),
    find: async (number) => rows[number - 1],
    endsOf: async (places) => places.map((place) => known.get(keyOf(place))),
    endsBetween: async (after, last) =>
      [...known.values()]
        .filter(({ tenantId }) => tenantId > after && tenantId <= last)
        .map((end) => ({ ...end, old: false })),
    async append(row, held) {
      rows.push(row)
      for (const end of held) known.set(keyOf(end), end)
      return true
    },
    unshipped: async () => rows.filter(({ shippedTime }) => shippedTime === null),
    async markShipped(number, shippedTime) {
      rows[number - 1] = { ...(rows[number - 1] as AuditCheckpointRow), shippedTime }
    },
    sweep: async () => undefined,
    forget: async () => undefined,
  }
}

function eventsInto(told: string[]): CheckpointEvents {
  return {
    rewritten: (place, problem) => void told.push(`rewritten ${keyOf(place)}: ${problem}`),
    rewrittenCount: (count) => void (count > 0 && told.push(`${count} rewritten`)),
    restored: (place) => void told.push(`restored ${keyOf(place)}`),
    lost: (number) => void told.push(`lost ${number}`),
    unshipped: () => void told.push('unshipped'),
    failed: (error) => void told.push(`failed ${error}`),
    current: () => void told.push('current'),
  }
}
