import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, dirname, join } from 'node:path'

// Every check runs, also after one has failed: whoever reads the summary sees all there is to do.

const root = join(import.meta.dirname, '..')
const bin = (name: string): string => join(root, 'node_modules/.bin', name)

interface Check {
  readonly name: string
  readonly command: readonly string[]
}

const checks: readonly Check[] = [
  { name: 'generated code', command: [process.execPath, 'scripts/generate-check.ts'] },
  { name: 'proto lint', command: [bin('buf'), 'lint'] },
  { name: 'proto breaking', command: [bin('buf'), 'breaking', 'proto', '--against', 'proto/released/tenure.binpb'] },
  { name: 'biome', command: [bin('biome'), 'ci', '--colors=off', '--max-diagnostics=50', '.'] },
  { name: 'types', command: [bin('tsc'), '-p', '.'] },
  {
    name: 'import rules',
    command: [
      bin('depcruise'),
      '--config',
      '.dependency-cruiser.cjs',
      '--output-type',
      'err-long',
      'src',
      'test',
      'scripts',
    ],
  },
  { name: 'dead code', command: [bin('knip'), '--no-progress'] },
  {
    name: 'tidy',
    command: [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', '--no-color', 'test/tidy.test.ts'],
  },
]

interface Outcome {
  readonly passed: boolean
  readonly seconds: number
  readonly output: string
}

async function run({ command }: Check): Promise<Outcome> {
  const began = performance.now()
  const [program = '', ...rest] = command
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
    NO_COLOR: '1',
  }
  const child = spawn(program, rest, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => parts.push(part))
  child.stderr.on('data', (part: Buffer) => parts.push(part))
  let code: number | null = null
  try {
    const [exit] = (await once(child, 'close')) as [number | null]
    code = exit
  } catch (error) {
    parts.push(Buffer.from(`${String(error)}\n`))
  }
  return {
    passed: code === 0,
    seconds: (performance.now() - began) / 1000,
    output: Buffer.concat(parts).toString('utf8'),
  }
}

const summary: string[] = []
let failed = 0
for (const check of checks) {
  const outcome = await run(check)
  if (!outcome.passed) {
    failed += 1
    process.stdout.write(`\n--- ${check.name}\n${outcome.output.trimEnd()}\n`)
  }
  summary.push(
    `${check.name.padEnd(16)} ${outcome.passed ? 'ok    ' : 'FAILED'} ${outcome.seconds.toFixed(1).padStart(6)} s`,
  )
}
process.stdout.write(`${failed > 0 ? '\n' : ''}${summary.join('\n')}\n`)
if (failed > 0) {
  process.stderr.write(`make check: ${failed} of ${checks.length} checks failed\n`)
  process.exitCode = 1
}
