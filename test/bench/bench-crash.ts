import { faultRowsOf, printFaultRows } from '../support/crash-figures.ts'
import { openCrashRig } from '../support/crash-rig.ts'
import { type CrashResult, runCrashTrials } from '../support/crash-trials.ts'
import { disposeOnSignal, readOptions } from './bench-run.ts'
import { circumstances, printCircumstances } from './bench-table.ts'

/**
 * A thousand faults under writes, by the engine of test/e2e/mysql-crash.test.ts. Ends with 1 when a guarantee was broken,
 * and for nothing else: times are figures here.
 */
const { json, numbers } = readOptions({ trials: 1_000, seed: Date.now() % 1_000_000 })
const { trials, seed } = numbers
const sayEvery = 50

function print({ trials: done, broken, seconds, logged }: CrashResult): void {
  printCircumstances()
  process.stdout.write(`${done.length} trials in ${seconds.toFixed(0)} s, seed ${seed}; times in milliseconds\n\n`)
  printFaultRows(faultRowsOf(done))
  process.stdout.write('\nWhat the servers logged:\n')
  for (const [message, count] of logged) process.stdout.write(`${String(count).padStart(6)}  ${message}\n`)
  process.stdout.write(
    broken.length === 0
      ? '\nNo acknowledged write was lost, none was done twice, every chain verifies, and only who was killed was restarted.\n'
      : `\nBROKEN:\n${broken.join('\n')}\n`,
  )
}

/** Answers the exit code. */
async function run(): Promise<number> {
  await using rig = await openCrashRig()
  disposeOnSignal(rig)
  const result = await runCrashTrials(rig, {
    ...{ seed, trials },
    progress: ({ trial }) => {
      if (trial % sayEvery === 0) process.stderr.write(`${trial} of ${trials} trials\n`)
    },
  })
  if (json) {
    const { broken, seconds, logged } = result
    const faults = faultRowsOf(result.trials)
    const report = { ...circumstances(), seed, seconds, faults, logged: Object.fromEntries(logged), broken }
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
  } else print(result)
  return result.broken.length === 0 ? 0 : 1
}

// Node waits for ever for a socket that was reset while its end was being sent: libuv refuses the reset and keeps the handle.
process.exit(await run())
