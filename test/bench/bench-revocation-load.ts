import { performance } from 'node:perf_hooks'

export interface WriteLoad {
  /** Ends it and waits for what is under way. */
  stop(): Promise<WriteLoadFigures>
}

export interface WriteLoadFigures {
  readonly perSecond: number
  readonly failed: number
  /** Due while too many were under way, and never sent. */
  readonly dropped: number
  readonly latenciesMs: readonly number[]
}

const maxUnderWay = 200
const tickMs = 5

/** Writes at a fixed rate, whether or not those before have been answered: `write` sends the one of this number. */
export function startWriteLoad(perSecond: number, write: (number: number) => Promise<unknown>): WriteLoad {
  const startMs = performance.now()
  const underWay = new Set<Promise<void>>()
  const latenciesMs: number[] = []
  let sent = 0
  let failed = 0
  let dropped = 0
  const send = async (number: number): Promise<void> => {
    const sentMs = performance.now()
    try {
      await write(number)
      latenciesMs.push(performance.now() - sentMs)
    } catch {
      failed += 1
    }
  }
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) / 1_000) * perSecond)
    for (; sent < due; sent += 1) {
      if (underWay.size >= maxUnderWay) {
        dropped += 1
        continue
      }
      const one = send(sent).finally(() => underWay.delete(one))
      underWay.add(one)
    }
  }, tickMs)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      const seconds = (performance.now() - startMs) / 1_000
      return { perSecond: latenciesMs.length / seconds, failed, dropped, latenciesMs }
    },
  }
}
