import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

// Style that a formatter cannot see. Every rule answers with the places that break it, so that a failure names them.

const root = join(import.meta.dirname, '..')
const maxFileLines = 300
const maxFunctionLines = 60

const skippedFolders = new Set([
  'node_modules',
  'build',
  'coverage',
  '.git',
  '.tenure',
  '.tenure-mysql',
  '.rigs',
  'gen',
])

function filesUnder(folder: string, wanted: (path: string) => boolean): string[] {
  const found: string[] = []
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && !skippedFolders.has(entry.name)) found.push(...filesUnder(path, wanted))
    else if (entry.isFile() && wanted(path)) found.push(path)
  }
  return found
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const codeFiles = ['src', 'test', 'scripts', 'examples'].flatMap((folder) =>
  filesUnder(folder, (path) => path.endsWith('.ts')),
)
const testFiles = codeFiles.filter((path) => path.startsWith('test/'))
const binary = /\.(?:binpb|png|jpg|db)$/
const textFiles = filesUnder('', (path) => !binary.test(path))
const docFiles = textFiles.filter((path) => /^(?:README|CONTRIBUTING|CHANGELOG)\.md$|^docs\/.*\.md$/.test(path))

interface Source {
  readonly path: string
  readonly tree: ts.SourceFile
}

const sources: readonly Source[] = [...codeFiles, 'vitest.config.ts'].map((path) => ({
  path,
  tree: ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true),
}))

/** The places of the nodes that `breaks` finds fault with. */
function placesOf(breaks: (node: ts.Node, path: string) => boolean): string[] {
  const found: string[] = []
  for (const { path, tree } of sources) {
    const visit = (node: ts.Node): void => {
      if (breaks(node, path)) found.push(`${path}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`)
      ts.forEachChild(node, visit)
    }
    visit(tree)
  }
  return found
}

/** The lines of `paths` that match. */
function linesWith(pattern: RegExp, paths: readonly string[]): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 100)}`] : [])),
  )
}

/** `describe(…)`, `describe.each(…)(…)`: its callback lists tests, and each of those is measured. */
function isSuite(node: ts.Node): boolean {
  const call = node.parent
  return ts.isCallExpression(call) && /^describe\b/.test(call.expression.getText())
}

function lineCount(node: ts.Node): number {
  const tree = node.getSourceFile()
  const first = tree.getLineAndCharacterOfPosition(node.getStart()).line
  return tree.getLineAndCharacterOfPosition(node.getEnd()).line - first + 1
}

test('a file is short enough to be read at once', () => {
  const lines = (path: string): number => read(path).trimEnd().split('\n').length
  expect(codeFiles.filter((path) => lines(path) > maxFileLines)).toEqual([])
})

test('a function is short enough to be seen at once', () => {
  expect(placesOf((node) => ts.isFunctionLike(node) && !isSuite(node) && lineCount(node) > maxFunctionLines)).toEqual(
    [],
  )
})

test('nothing is typed as anything', () => {
  expect(placesOf((node) => node.kind === ts.SyntaxKind.AnyKeyword)).toEqual([])
})

test('every export has one name everywhere', () => {
  // Their tools load these by the default export and by nothing else.
  const demanded = new Set(['vitest.config.ts', 'test/support/closing-line-reporter.ts'])
  const isDefault = (node: ts.Node, path: string): boolean =>
    !demanded.has(path) &&
    (ts.isExportAssignment(node) ||
      (ts.isExportSpecifier(node) && node.name.text === 'default') ||
      (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent)))
  expect(placesOf(isDefault)).toEqual([])
})

test('nothing is a barrel of other files', () => {
  expect(placesOf((node) => ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)).toEqual([])
})

test('no work is left behind in a comment', () => {
  const words = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`)
  expect(
    linesWith(
      words,
      textFiles.filter((path) => path !== 'LICENSE' && path !== 'package-lock.json'),
    ),
  ).toEqual([])
})

test('files and folders are named in kebab case', () => {
  const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test)?(?:\.ts)?$/
  expect(codeFiles.filter((path) => !path.split('/').every((part) => kebab.test(part)))).toEqual([])
})

test('no name stands for "whatever had no other place"', () => {
  const vague = /(?:^|[/-])(?:utils?|helpers?|common|managers?|misc)(?:[./-]|$)/
  expect(codeFiles.filter((path) => vague.test(path))).toEqual([])
})

test('nothing names a machine or a registry', () => {
  const folders = ['home', 'root', 'Users', 'work', 'workspace'].map((name) => `(?<![\\w.~-])/${name}/[\\w.-]`)
  const hosts = ['registry\\.[a-z]', 'artifactory', 'nexus\\.', 'pypi\\.', 'npmjs\\.', 'pkg\\.dev'].map(
    (name) => `https?://[^\\s)'"]*${name}`,
  )
  const pattern = new RegExp([...folders, ...hosts].join('|'))
  expect(
    linesWith(
      pattern,
      textFiles.filter((path) => path !== 'test/tidy.test.ts'),
    ),
  ).toEqual([])
})

test('locks name no registry, and ours is complete for every platform', () => {
  const resolvedIn = (path: string): string[] => {
    const lock = JSON.parse(read(path)) as { packages: Record<string, { resolved?: string }> }
    return Object.values(lock.packages).flatMap(({ resolved }) => (resolved === undefined ? [] : [resolved]))
  }
  expect(resolvedIn('package-lock.json')).toEqual([])
  expect(resolvedIn('examples/orders-service/package-lock.json')).toEqual(['file:../../build/sdk/tenure-sdk.tgz'])
  const check = spawnSync(process.execPath, ['scripts/complete-lock.ts', '--check'], { cwd: root, encoding: 'utf8' })
  expect(check.stderr).toBe('')
  expect(check.status).toBe(0)
})

/** Paths a page speaks of: targets of its links, and words of code that begin with a folder of the repository. */
function pathsIn(page: string): string[] {
  const text = read(page)
  const linked = [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    const path = target.replace(/#.*$/, '')
    return path === '' || /^[a-z]+:/.test(path) ? [] : [join(dirname(page), path)]
  })
  const folders = ['src', 'test', 'proto', 'scripts', 'docs', 'bin', 'examples', 'deploy', 'console', '\\.ci']
  const spoken = new RegExp(`\`((?:\\./)?(?:${folders.join('|')})/[^\`\\s,;:]*)\``, 'g')
  return [...linked, ...[...text.matchAll(spoken)].map(([, path = '']) => path)]
}

/** A pattern like `src/<area>/<noun>.ts` or `src/{a,b}.ts` is true when the folder before its first gap is there. */
function isThere(path: string): boolean {
  const fixed = path.split(/[<{*…[]/)[0] ?? ''
  return existsSync(join(root, fixed === path ? path : fixed.slice(0, fixed.lastIndexOf('/') + 1)))
}

test('every path the documentation mentions exists', () => {
  const missing = docFiles.flatMap((page) =>
    pathsIn(page)
      .filter((path) => !isThere(path))
      .map((path) => `${page}: ${path}`),
  )
  expect(missing).toEqual([])
})

test('every command of make the documentation mentions exists', () => {
  const targets = new Set([...read('Makefile').matchAll(/^([a-z][a-z-]*):/gm)].map(([, target]) => target))
  const spoken = docFiles.flatMap((page) =>
    [...read(page).matchAll(/(?:`|^\$ |^)make ([a-z][a-z-]*)/gm)].map(([, target = '']) => ({ page, target })),
  )
  expect(spoken.filter(({ target }) => !targets.has(target))).toEqual([])
})

test('no test is switched off or on alone', () => {
  const modifiers = new Set(['skip', 'only', 'todo', 'skipIf', 'runIf', 'fails'])
  const switched = (node: ts.Node): boolean =>
    ts.isPropertyAccessExpression(node) &&
    modifiers.has(node.name.text) &&
    /^(?:test|it|describe|suite|bench|context|ctx)\b/.test(node.expression.getText())
  expect(placesOf((node, path) => testFiles.includes(path) && switched(node))).toEqual([])
})

test('only the configuration reads the environment, and only the process edge ends the process', () => {
  const property = (name: string, node: ts.Node): boolean =>
    ts.isPropertyAccessExpression(node) && node.getText() === `process.${name}`
  const places = placesOf(
    (node, path) =>
      path.startsWith('src/') &&
      ((property('env', node) && !path.startsWith('src/config/')) ||
        (property('exit', node) && path !== 'src/main.ts')),
  )
  expect(places).toEqual([])
})

test('time and randomness come in as arguments', () => {
  const sourcesOfChance = /^(?:Date\.now|Math\.random|performance\.now|randomUUID|randomBytes|crypto\.\w+)$/
  const places = placesOf((node, path) => {
    // The clock itself, the composition root that hands the sources in, and log lines: their time is for people alone.
    if (!path.startsWith('src/') || /^src\/(?:base\/clock|server|observe\/log)\.ts$/.test(path)) return false
    if (ts.isNewExpression(node)) return node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0
    return ts.isCallExpression(node) && sourcesOfChance.test(node.expression.getText())
  })
  expect(places).toEqual([])
})

test('programs can be started', () => {
  const programs = ['bin/tenure', 'scripts/node', 'scripts/rigs', '.ci/run']
  expect(programs.filter((path) => (statSync(join(root, path)).mode & 0o111) === 0)).toEqual([])
})
