import { expect, test } from 'vitest'
import { openCrashRig } from '../support/crash-rig.ts'
import { runCrashTrials } from '../support/crash-trials.ts'

const trials = Number(process.env.TENURE_TEST_TRIALS ?? 300)
const seed = Number(process.env.TENURE_TEST_SEED ?? Date.now() % 1_000_000)

test(`${trials} faults under writes: none acknowledged is lost, none is done twice, servers recover by themselves`, async () => {
  await using rig = await openCrashRig()
  const result = await runCrashTrials(rig, {
    seed,
    trials,
    progress: (t) => process.stdout.write(`${JSON.stringify(t)}\n`),
  })
  process.stdout.write(`${JSON.stringify([...result.logged])} ${result.seconds} s, seed ${seed}\n`)
  expect(result.broken).toEqual([])
}, 300_000)
