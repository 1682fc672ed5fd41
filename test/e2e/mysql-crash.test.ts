import { expect, test } from 'vitest'
import { faultRowsOf, printFaultRows } from '../support/crash-figures.ts'
import { openCrashRig } from '../support/crash-rig.ts'
import { runCrashTrials } from '../support/crash-trials.ts'

/** Another run by the same seed draws the same writes and the same faults; when they meet is up to the machine. */
const seed = Number(process.env.TENURE_TEST_SEED ?? Date.now() % 1_000_000)
const trials = Number(process.env.TENURE_TEST_TRIALS ?? 300)
const timeoutMs = 400_000

test(
  'faults under writes: none acknowledged is lost, none is done twice, every chain verifies, servers recover',
  async () => {
    await using rig = await openCrashRig()
    const { trials: done, seconds, broken } = await runCrashTrials(rig, { seed, trials })
    process.stdout.write(`${done.length} trials in ${seconds.toFixed(0)} s, TENURE_TEST_SEED=${seed}; milliseconds\n`)
    const rows = faultRowsOf(done)
    printFaultRows(rows)
    expect(broken).toEqual([])
    expect(done).toHaveLength(trials)
    // A fault that never strikes would prove nothing.
    expect(rows.filter(({ strikes, trials: tried }) => strikes < tried / 2)).toEqual([])
  },
  timeoutMs,
)
