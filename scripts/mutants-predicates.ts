import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Removes the predicates that keep tenants and workspaces apart, one at a time, in a scratch copy of what is committed, and
// runs the tests on each: a suite that stays green does not protect that predicate. They are found in the source, so that a
// new store is part of it without being named here.

const root = join(import.meta.dirname, '..')

/** What a predicate looks like, and the same statement without it: it takes as many parameters, and holds for every row. */
const rules: readonly { readonly pattern: RegExp; readonly without: string }[] = [
  { pattern: /\b(?:tenant|workspace)_id = \?/g, without: '? IS NOT NULL' },
  { pattern: /\b(?:tenant|workspace)_id IN \(/g, without: "'' NOT IN (" },
  { pattern: /row\.(?:tenant|workspace)Id = (:\w+)/g, without: '$1 IS NOT NULL' },
  // The helpers that every statement of a scope is made by.
  { pattern: /\.\.\.place, (?=\[idProperty\]|\.\.\.where)/g, without: '' },
  { pattern: /(?<='row'\), )place\b/g, without: '{}' },
  { pattern: /\.\.\.storedValues\(place, manager, table\), /g, without: '' },
  { pattern: /, \[idProperty\]: id\b/g, without: '' },
  { pattern: /^ +tenantId: context\.tenantId,\n(?= +\.\.\.\()/gm, without: '' },
  { pattern: /(?<=allWorkspaces \? )\{ workspaceId: context\.workspaceId \}/g, without: '{}' },
  // What a store asks for beside them.
  { pattern: /(?<=\.(?:find|list|all|count|deleteAll)\()\{ (?:tenantId|workspaceId)(?:: [\w.]+)? \}/g, without: '{}' },
  { pattern: /(?<=\.(?:find|list|all|count|deleteAll)\(\{ )(?:tenantId|workspaceId)(?:: [\w.]+)?, /g, without: '' },
]

/**
 * Nothing of these says anything to a store's tables: generated code, the schema, the guard itself, and the statements
 * that are there to be refused.
 */
const passedOver = /^(?:gen|sdk|sql-guard|storage\/migrations)\/|^(?:storage-check|tenancy\/guard-probe)\.ts$/

/** Fewer are not what this tree has: then a pattern has stopped matching. */
const leastFound = 20

/** What is run for each, the quick ones first, until one is red. */
const behaviour = [
  'test/contract/storage/sqlite-storage.test.ts',
  'test/contract/storage/sqlite-rows.test.ts',
  'test/unit/tenancy/kernel.test.ts',
  'test/unit/tenancy/volume.test.ts',
  'test/e2e/tour.test.ts',
  'test/e2e/secrets.test.ts',
  'test/e2e/guard-reports.test.ts',
]
/** Where behaviour does not show it, what is on record of the statement does. */
const record = ['test/attack/emitted-statements.test.ts']

interface Predicate {
  readonly file: string
  readonly line: number
  readonly text: string
  readonly mutated: string
}

function predicatesIn(file: string): Predicate[] {
  const source = readFileSync(join(root, 'src', file), 'utf8')
  return rules.flatMap(({ pattern, without }) =>
    [...source.matchAll(pattern)].map((match) => {
      const end = match.index + match[0].length
      const replacement = without.replace('$1', match[1] ?? '')
      return {
        file: `src/${file}`,
        line: source.slice(0, match.index).split('\n').length,
        text: match[0].trim(),
        mutated: source.slice(0, match.index) + replacement + source.slice(end),
      }
    }),
  )
}

function findPredicates(): Predicate[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !passedOver.test(file))
    .sort()
  const found = files.flatMap(predicatesIn)
  if (found.length < leastFound) throw new Error(`only ${found.length} predicates were found: mend the patterns`)
  return found
}

/** A copy of what is committed, with what is installed here. */
function openCopy(): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-predicates-'))
  execFileSync('git', ['worktree', 'add', '--detach', '--force', folder, 'HEAD'], { cwd: root, stdio: 'ignore' })
  for (const name of ['node_modules', 'build', '.rigs']) symlinkSync(join(root, name), join(folder, name))
  return {
    folder,
    [Symbol.dispose]() {
      execFileSync('git', ['worktree', 'remove', '--force', folder], { cwd: root, stdio: 'ignore' })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

/** The first test that is red; undefined where all are green. */
function firstRed(folder: string, tests: readonly string[]): string | undefined {
  const output = join(folder, 'predicates.json')
  rmSync(output, { force: true })
  const { status } = spawnSync(
    join(folder, 'scripts/node'),
    ['node_modules/vitest/vitest.mjs', 'run', '--project', 'sqlite', '--bail', '1', '--reporter', 'json'].concat(
      ['--outputFile', output],
      tests,
    ),
    { cwd: folder, stdio: 'ignore' },
  )
  if (status === 0) return undefined
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Report
  for (const { name, message, assertionResults } of testResults) {
    const red = assertionResults.find((each) => each.status === 'failed')
    if (red !== undefined) return red.fullName
    if (message !== '') return `${name.slice(folder.length + 1)} does not begin`
  }
  return 'the run itself failed'
}

function judge(folder: string, { file, mutated }: Predicate): { red: string; by: string } | undefined {
  const path = join(folder, file)
  const committed = readFileSync(path, 'utf8')
  writeFileSync(path, mutated)
  try {
    const red = firstRed(folder, behaviour)
    if (red !== undefined) return { red, by: 'behaviour' }
    const recorded = firstRed(folder, record)
    return recorded === undefined ? undefined : { red: recorded, by: 'record' }
  } finally {
    writeFileSync(path, committed)
  }
}

using copy = openCopy()
const only = process.argv[2]
const predicates = findPredicates().filter(({ file }) => only === undefined || file.includes(only))
const untouched = firstRed(copy.folder, [...behaviour, ...record])
if (untouched !== undefined) throw new Error(`the tests are red before anything is removed: ${untouched}`)
let green = 0
for (const predicate of predicates) {
  const verdict = judge(copy.folder, predicate)
  if (verdict === undefined) green += 1
  const told = verdict === undefined ? 'STAYS GREEN' : `red by ${verdict.by}: ${verdict.red.slice(0, 90)}`
  process.stdout.write(`${`${predicate.file}:${predicate.line}`.padEnd(36)} ${predicate.text.padEnd(42)} ${told}\n`)
}
process.stdout.write(`${predicates.length} predicates removed one at a time, ${green} that no test noticed\n`)
process.exitCode = green === 0 ? 0 : 1
