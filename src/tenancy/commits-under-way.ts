/**
 * Commits of this process that are sent and not yet taken in by its decisions. Whoever gets the head's lock next, often
 * before the answer to the commit is read, waits for that instead of reading what this process is about to know.
 */
export interface CommitsUnderWay {
  /** To be called before COMMIT is sent; what it answers is to be called once decisions reflect it, or it failed. */
  begin(tenantId: string, revision: number): () => void
  /** Resolves when the commit that made this revision is taken in, if it is under way here; in a moment at the latest. */
  settled(tenantId: string, revision: number): Promise<void>
}

/** A commit whose answer is lost waits for the very lock that is held meanwhile. */
const longestWaitMs = 50

interface UnderWay {
  readonly revision: number
  readonly done: Promise<void>
}

export function createCommitsUnderWay(): CommitsUnderWay {
  const underWay = new Map<string, UnderWay>()
  return {
    begin(tenantId, revision) {
      const { promise: done, resolve } = Promise.withResolvers<void>()
      const mine = { revision, done }
      underWay.set(tenantId, mine)
      return () => {
        resolve()
        if (underWay.get(tenantId) === mine) underWay.delete(tenantId)
      }
    },
    async settled(tenantId, revision) {
      const found = underWay.get(tenantId)
      if (found?.revision !== revision) return
      let timer: NodeJS.Timeout | undefined
      const longest = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, longestWaitMs)
      })
      await Promise.race([found.done, longest])
      clearTimeout(timer)
    },
  }
}
