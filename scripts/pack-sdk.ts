import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

// Packs src/sdk and what it imports as the package `tenure-sdk`. Compiled, because Node runs no TypeScript inside
// node_modules. The same sources make the same bytes: npm writes one fixed time into every tarball.

interface Manifest {
  readonly version: string
  readonly license: string
  readonly dependencies: Readonly<Record<string, string>>
}

const root = join(import.meta.dirname, '..')
const folder = join(root, 'build/sdk')
const compiler = join(root, 'node_modules/@typescript/native/bin/tsc')
const tarball = join(folder, 'tenure-sdk.tgz')

/** What compiled files may import; everything else of the server stays out of the services that install this. */
const outsidePackages = ['@guanmingchiu/sqlparser-ts', 'jose', 'lru-cache']

const { version, license, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

const manifest = {
  name: 'tenure-sdk',
  version,
  description: 'Verifies tenant tokens of Tenure, gives each request its tenant context, and keeps its SQL inside it.',
  license,
  type: 'module',
  // The first Node 20 whose `crypto.hash` hashes a token in one call.
  engines: { node: '>=20.12' },
  exports: {
    '.': { types: './dist/sdk/index.d.ts', default: './dist/sdk/index.js' },
    // Apart: it loads the SQL parser.
    './guard': { types: './dist/sdk/guard/index.d.ts', default: './dist/sdk/guard/index.js' },
  },
  files: ['dist'],
  sideEffects: false,
  dependencies: Object.fromEntries(outsidePackages.map((name) => [name, dependencies[name]])),
}

mkdirSync(folder, { recursive: true })
// A place of its own for each run: two at a time never mix what they compile.
const stage = mkdtempSync(join(folder, 'stage-'))
try {
  const staged = join(stage, 'package')
  run(process.execPath, [compiler, '-p', join(root, 'src/sdk'), '--outDir', join(staged, 'dist')], root)
  writeFileSync(join(staged, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  copyFileSync(join(root, 'LICENSE'), join(staged, 'LICENSE'))
  copyFileSync(join(root, 'docs/sdk.md'), join(staged, 'README.md'))
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', stage], staged)
  // Moved into its place whole: whoever installs it meanwhile finds the old one or the new one.
  renameSync(join(stage, `tenure-sdk-${version}.tgz`), tarball)
} finally {
  rmSync(stage, { recursive: true, force: true })
}
process.stdout.write('build/sdk/tenure-sdk.tgz\n')

function run(program: string, args: readonly string[], cwd: string): void {
  const path = `${dirname(process.execPath)}:${process.env.PATH ?? ''}`
  execFileSync(program, args, { cwd, env: { ...process.env, PATH: path }, stdio: ['ignore', 'ignore', 'inherit'] })
}
