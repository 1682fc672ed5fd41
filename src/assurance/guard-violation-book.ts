import type { Clock } from '../base/clock.ts'
import { isTaken } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import { settledWithin } from '../base/settled-within.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapability } from '../tenancy/platform-capability.ts'
import { sweepRows } from '../tenancy/sweep-rows.ts'
import { keepMs, type SeenViolation } from './guard-violation.ts'
import { fingerprintOf, guardViolationRows, recordViolation } from './guard-violation-store.ts'

/** Takes down what the server's own guard refuses, in the background: a refusal waits for nothing. */
export interface GuardViolationBook extends AsyncDisposable {
  add(seen: SeenViolation): void
  /** Resolves when what was added before is written, or could not be. */
  flush(): Promise<void>
}

export interface GuardViolationBookOptions {
  readonly directory: Directory
  readonly capability: PlatformCapability<'diagnostics'>
  readonly clock: Clock
  readonly ids: Ids
  readonly failed: (error: unknown) => void
}

/** How long a server that stops waits for the last of it to be written. */
const endMs = 2_000
const flushMs = 1_000
/** Different ones kept at once: who provokes refusals by the thousand is told of in the log and the metric all the same. */
const maxHeld = 500

export function openGuardViolationBook(options: GuardViolationBookOptions): GuardViolationBook {
  const held = new Map<string, SeenViolation>()
  let writing: Promise<void> = Promise.resolve()
  const flush = (): Promise<void> => {
    writing = writing.then(() => writeOut(options, held))
    return writing
  }
  const timer = setInterval(() => void (held.size > 0 && flush()), flushMs).unref()
  return {
    add(seen) {
      const key = fingerprintOf(seen).toString('base64')
      const known = held.get(key)
      if (known === undefined && held.size >= maxHeld) return
      held.set(key, { ...seen, seenCount: (known?.seenCount ?? 0) + seen.seenCount })
    },
    flush,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await settledWithin(flush(), endMs)
    },
  }
}

/** Never rejects: what could not be written is told to `failed`, and tried again with the next. */
async function writeOut(options: GuardViolationBookOptions, held: Map<string, SeenViolation>): Promise<void> {
  const taken = [...held]
  if (taken.length === 0) return
  held.clear()
  const now = new Date(options.clock.nowMs())
  const write = () =>
    options.directory.writeUnlogged(options.capability, async (scope) => {
      for (const [, seen] of taken) await recordViolation(scope, seen, now, options.ids)
      const old = { sql: 'row.lastTime < :limit', parameters: { limit: new Date(now.getTime() - keepMs) } }
      await sweepRows(guardViolationRows(scope), { old, idProperty: 'violationId' })
    })
  try {
    // Another server may have been the first to see one of them, a moment ago: now it is found, and counted with.
    await write().catch((error: unknown) => (isTaken(error) ? write() : Promise.reject(error)))
  } catch (error) {
    for (const [key, seen] of taken) {
      const newer = held.get(key)
      held.set(key, { ...seen, seenCount: seen.seenCount + (newer?.seenCount ?? 0) })
    }
    options.failed(error)
  }
}
