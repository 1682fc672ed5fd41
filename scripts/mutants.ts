import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

// Changes what keeps tenants apart, one expression at a time, and runs the tests that must notice. Each change that lives
// on is explained in test/mutants/, or this ends with 1; so does an explanation of a change that is gone or is noticed now.

const root = join(import.meta.dirname, '..')
const reportFile = join(root, 'build/mutants/report.json')

/** What is changed in each room; `test/mutants/` has its tests and its explanations. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  guard: [
    ...['guard', 'judgement', 'pin-proof', 'prove-expression', 'prove-select', 'prove-write', 'syntax-node', 'verdict'],
  ].map((name) => `src/sql-guard/${name}.ts`),
  access: [
    ...['bitset', 'compiled-binding', 'decision', 'membership-index', 'principal-index', 'role-index'],
    'tenant-snapshot',
  ].map((name) => `src/access/engine/${name}.ts`),
  // Without rows.ts, which says how statements are made; whose rows they are is said here, and the guard judges them all.
  scope: [
    ...['find-row', 'insert-rows', 'job-context', 'pins', 'place-check', 'platform-capability', 'platform-scope'],
    ...['reader-context', 'scope', 'tenant-rows', 'tenant-unit'],
  ].map((name) => `src/tenancy/${name}.ts`),
}

/**
 * The line that the judged part of a file begins with, where that is not the whole. The purposes of capabilities and their
 * tables are a list that somebody has decided on: a test of its words could only repeat them.
 */
const judgedFrom: Readonly<Record<string, string>> = {
  'src/tenancy/platform-capability.ts': 'export type PlatformPurpose',
}

/** A change that no test notices, and why none need: it changes nothing that can be seen, or nothing that matters. */
interface Explanation {
  readonly file: string
  /** The source line that it begins on, or as much of it as tells it from others. */
  readonly line: string
  readonly mutator: string
  readonly original: string
  readonly replacement: string
  readonly because: string
}

interface Position {
  readonly line: number
  readonly column: number
}

interface Report {
  readonly files: Readonly<
    Record<
      string,
      {
        readonly source: string
        readonly mutants: readonly {
          readonly mutatorName: string
          readonly replacement: string
          readonly status: string
          readonly location: { readonly start: Position; readonly end: Position }
        }[]
      }
    >
  >
}

type Change = Omit<Explanation, 'because'>

function explains(explanation: Explanation, { file, line, mutator, original, replacement }: Change): boolean {
  return (
    explanation.file === file &&
    line.includes(explanation.line) &&
    explanation.mutator === mutator &&
    explanation.original === original &&
    explanation.replacement === replacement
  )
}

function textAt(source: string, start: Position, end: Position): string {
  const lines = source.split('\n').slice(start.line - 1, end.line)
  const last = lines.length - 1
  return lines
    .map((text, at) => text.slice(at === 0 ? start.column - 1 : 0, at === last ? end.column - 1 : undefined))
    .join('\n')
}

/** The file, or the lines of it that are judged, as the runner takes them. */
function judgedPart(file: string): string {
  const begins = judgedFrom[file]
  if (begins === undefined) return file
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
  const first = lines.findIndex((line) => line.startsWith(begins)) + 1
  if (first === 0) throw new Error(`no line of ${file} begins with ${begins}`)
  return `${file}:${first}-${lines.length}`
}

function runRoom(name: string, mutate: readonly string[]): Report {
  rmSync(reportFile, { force: true })
  const { status } = spawnSync(
    process.execPath,
    [
      'node_modules/@stryker-mutator/core/bin/stryker.js',
      'run',
      'stryker.config.json',
      '--mutate',
      mutate.map(judgedPart).join(','),
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, TENURE_MUTANT_TESTS: `test/mutants/${name}-tests.ts` } },
  )
  if (status !== 0 || !existsSync(reportFile)) throw new Error(`the mutants of ${name} could not be run`)
  return JSON.parse(readFileSync(reportFile, 'utf8')) as Report
}

/** As an explanation of it begins. */
function inWords(change: Change): string {
  return JSON.stringify(change, undefined, 2)
}

type Verdict = 'killed' | 'timed out' | 'explained' | 'unexplained'

/** One without end is noticed, and told of; one that is explained and has timed out has met a busy machine. */
function verdictOn(status: string, isExplained: boolean): Verdict {
  const lived = status === 'Survived' || status === 'NoCoverage'
  if (!lived && status !== 'Timeout') return 'killed'
  if (isExplained) return 'explained'
  return lived ? 'unexplained' : 'timed out'
}

/** Answers how much of the room is unexplained or explained for nothing. */
function judgeRoom(name: string, mutate: readonly string[]): number {
  const explanations = JSON.parse(
    readFileSync(join(root, `test/mutants/${name}-explained.json`), 'utf8'),
  ) as Explanation[]
  const ofFiles = explanations.filter(({ file }) => mutate.includes(file))
  const unused = new Set(ofFiles)
  const counts: Record<Verdict, number> = { killed: 0, 'timed out': 0, explained: 0, unexplained: 0 }
  for (const [file, { source, mutants }] of Object.entries(runRoom(name, mutate).files)) {
    for (const { mutatorName, replacement, status, location } of mutants) {
      const line = (source.split('\n')[location.start.line - 1] ?? '').trim()
      const original = textAt(source, location.start, location.end)
      const change = { file, line, mutator: mutatorName, original, replacement }
      const found = ofFiles.filter((explanation) => explains(explanation, change))
      const verdict = verdictOn(status, found.length > 0)
      counts[verdict] += 1
      if (verdict === 'explained') for (const explanation of found) unused.delete(explanation)
      if (verdict === 'unexplained' || verdict === 'timed out') {
        const at = `${file}:${location.start.line}:${location.start.column}`
        process.stdout.write(`${verdict.toUpperCase()} ${at} ${inWords(change)}\n`)
      }
    }
  }
  for (const { because: _, ...change } of unused) process.stdout.write(`EXPLAINED FOR NOTHING ${inWords(change)}\n`)
  const told = Object.entries(counts).map(([word, count]) => `${count} ${word}`)
  process.stdout.write(`${name}: ${told.join(', ')}, ${unused.size} explanations too many\n`)
  return counts.unexplained + unused.size
}

// Named are rooms, or files of a room: of that room then only these are judged, and explained. Without a name, all is.
const asked = process.argv.slice(2)
for (const name of asked)
  if (rooms[name] === undefined && !Object.values(rooms).flat().includes(name))
    throw new Error(`there is no room, and no file of one, ${name}`)
let wrong = 0
for (const [name, room] of Object.entries(rooms)) {
  const whole = asked.length === 0 || asked.includes(name)
  const files = whole ? room : room.filter((file) => asked.includes(file))
  if (files.length > 0) wrong += judgeRoom(name, files)
}
process.exitCode = wrong === 0 ? 0 : 1
