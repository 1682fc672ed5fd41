import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

export interface UnpackOptions {
  readonly suite: string
  readonly packages: readonly string[]
  /** Where the files go, as if it were the root of a machine. */
  readonly root: string
  /** An empty folder for what is downloaded. */
  readonly scratch: string
}

/**
 * Unpacks packages of another suite of Debian, with everything they depend on, into a folder: nothing is installed, and
 * nothing the machine has is looked at. Answers how many packages there were.
 */
export async function unpackDebianPackages({ suite, packages, root, scratch }: UnpackOptions): Promise<number> {
  const architecture = architectures[process.arch]
  if (architecture === undefined) throw new Error(`there is nothing to unpack for ${process.arch}`)
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(scratch, folder), { recursive: true })
  writeFileSync(join(scratch, 'sources.list'), `deb [signed-by=${keyring}] ${debianMirror()} ${suite} main\n`)
  writeFileSync(join(scratch, 'status'), '')
  const options = aptOptions(scratch, architecture)
  await apt([...options, 'update'])
  await apt([...options, 'install', '--download-only', '-y', '--no-install-recommends', ...packages])
  const archives = join(scratch, 'cache/archives')
  const files = readdirSync(archives).filter((name) => name.endsWith('.deb'))
  for (const file of files) await run('dpkg-deb', ['-x', join(archives, file), root])
  rmSync(scratch, { recursive: true })
  return files.length
}

/** Lists, cache and state of its own, and an empty status: every dependency is downloaded, whatever the machine has. */
function aptOptions(scratch: string, architecture: string): string[] {
  const settings = {
    'Dir::Etc::sourcelist': join(scratch, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State': scratch,
    'Dir::State::lists': join(scratch, 'lists'),
    'Dir::State::status': join(scratch, 'status'),
    'Dir::Cache': join(scratch, 'cache'),
    'Acquire::Check-Valid-Until': 'false',
    'Acquire::Languages': 'none',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '',
    'Debug::NoLocking': '1',
  }
  return ['-q', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])]
}

async function apt(args: readonly string[]): Promise<void> {
  try {
    await run('apt-get', args, { env: { ...process.env, LC_ALL: 'C' } })
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string }
    throw new Error(/^E: .*$/m.exec(stderr)?.[0] ?? message)
  }
}

/** Where this machine gets Debian from: a mirror nearer than the official one may be the only one it can reach. */
function debianMirror(): string {
  const parts = '/etc/apt/sources.list.d'
  const names = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : []
  const files = ['/etc/apt/sources.list', ...names].filter((path) => existsSync(path))
  const lines = files.flatMap((path) => readFileSync(path, 'utf8').split('\n'))
  const uris = lines.flatMap((line) => {
    const [, deb822, oneLine] = /^(?:URIs:\s*(.+)|deb\s+(?:\[[^\]]*\]\s+)?(\S+).*)$/.exec(line) ?? []
    return (deb822 ?? oneLine ?? '').split(/\s+/)
  })
  const mirror = uris.find((uri) => /\/debian\/?$/.test(uri))
  if (mirror === undefined) throw new Error('apt has no source of Debian here')
  return mirror
}
