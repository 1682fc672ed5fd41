import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// npm leaves optional packages of other platforms out of the lock when the registry it was written against does not
// carry them, and `npm ci` then refuses the lock where a registry does ("Missing: … from lock file"). A stub that
// says which platform the package is for is enough for `npm ci` on every platform.

interface LockEntry {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
}

interface Lock {
  packages: Record<string, LockEntry>
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']

/** What packages call a processor, and what npm calls it. Longer names first: `arm64` also begins with `arm`. */
const processors: readonly (readonly [name: string, cpu: string])[] = [
  ['aarch64', 'arm64'],
  ['arm64', 'arm64'],
  ['armv7', 'arm'],
  ['arm', 'arm'],
  ['ia32', 'ia32'],
  ['loong64', 'loong64'],
  ['mips64el', 'mips64el'],
  ['ppc64', 'ppc64'],
  ['riscv64', 'riscv64'],
  ['s390x', 's390x'],
  ['x64', 'x64'],
]

/** Packages of this kind carry their platform in their name: `@biomejs/cli-linux-arm64-musl`. */
function stubFor(name: string, version: string, dev: boolean): LockEntry {
  const words = name.split(/[-/]/)
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find(([word]) => words.includes(word))?.[1]
  if (os === undefined || cpu === undefined || !/^\d+\.\d+\.\d+\S*$/.test(version)) {
    throw new Error(`complete-lock: cannot tell the platform of ${name}@${version}; add it to the lock by hand`)
  }
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : ''
  return {
    version,
    cpu: [cpu],
    ...(dev ? { dev } : {}),
    ...(libc === '' ? {} : { libc: [libc] }),
    optional: true,
    os: [os],
  }
}

/** Where Node would find `name` when the package at `from` asks for it. */
function isLocked(lock: Lock, from: string, name: string): boolean {
  let folder = from
  for (;;) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in lock.packages) return true
    if (folder === '') return false
    const outer = folder.lastIndexOf('/node_modules/')
    folder = outer < 0 ? '' : folder.slice(0, outer)
  }
}

function complete(lock: Lock): readonly string[] {
  const added: string[] = []
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(lock, path, name)) continue
      lock.packages[`node_modules/${name}`] = stubFor(name, version, entry.dev === true)
      added.push(name)
    }
  }
  const inOrder = Object.entries(lock.packages).sort(([left], [right]) => left.localeCompare(right, 'en'))
  lock.packages = Object.fromEntries(inOrder)
  return added
}

const path = join(import.meta.dirname, '..', 'package-lock.json')
const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock
const added = complete(lock)
if (!process.argv.includes('--check')) {
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
  process.stdout.write(`complete-lock: ${added.length} stub entries added\n`)
} else if (added.length > 0) {
  process.stderr.write(`complete-lock: the lock lacks ${added.join(', ')}: run scripts/node scripts/complete-lock.ts\n`)
  process.exitCode = 1
}
