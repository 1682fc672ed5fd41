import { runWalk, type WalkFigures } from '../support/walk-run.ts'
import { openWalkWorld } from '../support/walk-world.ts'
import { disposeOnSignal, readOptions } from './bench-run.ts'
import { circumstances, printCircumstances, printTable } from './bench-table.ts'

/**
 * A million operations over five tenants on three servers, by the engine of test/attack/mysql-random-walk.test.ts. Ends
 * with 1 when an answer was not what the naive model allows or spoke of another tenant, and for nothing else.
 */
const { json, numbers } = readOptions({ steps: 1_000_000, seed: Date.now() % 1_000_000 })
const { steps, seed } = numbers
const sayEvery = 20_000

function print(walked: WalkFigures): void {
  const { asked, seconds, steps: done, decisions, writes, stale, ambiguous, ids, words, faults } = walked
  printCircumstances()
  const perSecond = Math.round(done / seconds).toLocaleString('en')
  process.stdout.write(
    `${done.toLocaleString('en')} operations in ${seconds.toFixed(0)} s (${perSecond}/s), seed ${seed}\n\n`,
  )
  const rows = [...asked].sort(([a], [b]) => (a < b ? -1 : 1))
  printTable(
    ['operation', 'calls', 'answered', 'refused'],
    [
      ...rows.map(([what, { calls, answered, refused }]) => [what, calls, answered, refused]),
      ['change', writes, writes, 0],
    ],
  )
  process.stdout.write(
    `\n${decisions.toLocaleString('en')} decisions compared; ${words.toLocaleString('en')} ids and names looked at, ` +
      `${ids.toLocaleString('en')} ids known by tenant; ${stale.toLocaleString('en')} answers were STALE; for ` +
      `${ambiguous.toLocaleString('en')} the model allowed more than one answer, by how far behind a server may be\n`,
  )
  process.stdout.write(
    faults.length === 0
      ? 'No answer spoke of another tenant, and every answer is one that the naive model allows.\n'
      : `\nBROKEN:\n${faults.join('\n')}\n`,
  )
}

/** Answers the exit code. */
async function run(): Promise<number> {
  await using world = await openWalkWorld(seed)
  disposeOnSignal(world)
  let said = 0
  const startMs = performance.now()
  const walked = await runWalk(world, {
    ...{ seed, steps },
    progress(done) {
      if (done < said + sayEvery) return
      said = done
      const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
      process.stderr.write(`${done.toLocaleString('en')} of ${steps.toLocaleString('en')} operations, ${seconds} s\n`)
    },
  })
  if (json) {
    const [asked, changed] = [Object.fromEntries(walked.asked), [...walked.changed]]
    process.stdout.write(`${JSON.stringify({ ...circumstances(), seed, ...walked, asked, changed }, undefined, 2)}\n`)
  } else print(walked)
  return walked.faults.length === 0 ? 0 : 1
}

// As in bench-crash.ts: a socket that was reset while it ended would keep the process.
process.exit(await run())
