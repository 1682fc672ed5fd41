import { expect, test } from 'vitest'
import { createLeasePool } from '../../../src/base/lease-pool.ts'

interface Gate {
  readonly passed: Promise<void>
  open(): void
}

function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: () => resolve() }
}

const reason = (expected: string) => expect.objectContaining({ reason: expected })

test('an item is never with two borrowers at once', async () => {
  const pool = createLeasePool(['a', 'b'], { maxWaiting: 100 })
  const out = new Set<string>()
  let most = 0
  const work = (item: string): Promise<void> => {
    expect(out.has(item)).toBe(false)
    out.add(item)
    most = Math.max(most, out.size)
    return new Promise((resolve) => {
      setImmediate(() => {
        out.delete(item)
        resolve()
      })
    })
  }
  await Promise.all(Array.from({ length: 50 }, () => pool.use(work)))
  expect(most).toBe(2)
})

test('those who wait are served in the order they asked', async () => {
  const pool = createLeasePool(['only'], { maxWaiting: 10 })
  const first = gate()
  const served: number[] = []
  const uses = [pool.use(() => first.passed)]
  for (let i = 1; i <= 5; i += 1) {
    uses.push(
      pool.use(async () => {
        served.push(i)
      }),
    )
  }
  first.open()
  await Promise.all(uses)
  expect(served).toEqual([1, 2, 3, 4, 5])
})

test('an item comes back also when its work fails', async () => {
  const pool = createLeasePool(['only'], { maxWaiting: 0 })
  const broken = async (): Promise<never> => {
    throw new Error('broken')
  }
  await expect(pool.use(broken)).rejects.toThrow('broken')
  await expect(
    pool.use(() => {
      throw new Error('broken at once')
    }),
  ).rejects.toThrow('broken at once')
  await expect(pool.use(async (item) => item)).resolves.toBe('only')
})

test('a queue that is full refuses at once and says when to come back', async () => {
  const pool = createLeasePool(['only'], { maxWaiting: 1 })
  const hold = gate()
  const held = pool.use(() => hold.passed)
  const waiting = pool.use(async (item) => item)
  await expect(pool.use(async () => 'never')).rejects.toEqual(
    expect.objectContaining({ reason: 'OVERLOADED', retryAfterMs: expect.any(Number) }),
  )
  hold.open()
  await held
  await expect(waiting).resolves.toBe('only')
})

test('closing waits for the work under way and for those who wait already, then refuses', async () => {
  const pool = createLeasePool(['only'], { maxWaiting: 10 })
  const hold = gate()
  const done: string[] = []
  const held = pool.use(() => hold.passed).then(() => done.push('held'))
  const waiting = pool.use(async () => {
    done.push('waiting')
  })
  const closed = pool.close().then(() => done.push('closed'))
  await expect(pool.use(async () => 'late')).rejects.toEqual(reason('SHUTTING_DOWN'))
  hold.open()
  await Promise.all([held, waiting, closed])
  expect(done.at(-1)).toBe('closed')
  expect(done).toHaveLength(3)
  await expect(pool.use(async () => 'late')).rejects.toEqual(reason('SHUTTING_DOWN'))
})

test('a pool that nobody uses closes at once', async () => {
  await createLeasePool(['a', 'b'], { maxWaiting: 0 }).close()
})
