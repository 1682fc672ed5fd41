import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startDiagnosisSchedule } from '../../../src/assurance/isolation/diagnosis-schedule.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { TenureError } from '../../../src/base/errors.ts'
import { createIds } from '../../../src/base/ids.ts'
import type { Directory } from '../../../src/tenancy/directory.ts'
import { issuePlatformCapabilities } from '../../../src/tenancy/platform-capability.ts'

const capability = issuePlatformCapabilities().diagnostics

/** What is told of rounds over a directory whose every read ends so. */
async function toldOf(failure: Error): Promise<{ rounds: number; told: unknown[] }> {
  const told: unknown[] = []
  let rounds = 0
  const directory = {
    read: () => {
      rounds += 1
      return Promise.reject(failure)
    },
  } as unknown as Directory
  using _ = startDiagnosisSchedule({
    ...{ directory, capability, clock: systemClock, ids: createIds(systemClock, () => undefined), jitter: () => 0 },
    ...{ intervalMs: 10, wake: () => undefined, passedAt: () => undefined, failed: (error) => told.push(error) },
  })
  while (rounds < 3) await sleep(5)
  return { rounds, told }
}

test('a round that finds the database away is no error: the next one comes by itself', async () => {
  expect((await toldOf(new TenureError('DATABASE_UNAVAILABLE', 'away'))).told).toEqual([])
})

test('a round that fails in another way is told of, each time, and the next one comes', async () => {
  const failure = new Error('a bug')
  expect((await toldOf(failure)).told.length).toBeGreaterThan(1)
})
