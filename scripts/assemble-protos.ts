import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

// Other people's definitions come out of the packages that ship them, so that no copy of theirs lives in this
// repository. The hashes pin what is read: a package that changes a definition under the same version is refused.

const root = join(import.meta.dirname, '..')
const target = join(root, 'build/proto')

interface Definition {
  readonly path: string
  readonly sha256: string
  /** Where it lies under node_modules; undefined for the one that comes from a Python source package. */
  readonly from?: string
}

const gax = 'google-gax/build/protos'
const reflection = '@grpc/reflection/build/proto'

const definitions: readonly Definition[] = [
  { path: 'buf/validate/validate.proto', sha256: '8c808a58cb57224e676bf54ee3b42bcf33d8d05766a4023881cc462face3abfb' },
  {
    path: 'google/api/annotations.proto',
    sha256: 'e79ea741cb605a65e78ca322174764a4af9fde1962c1631e12b84c4934ba9a6c',
    from: `${gax}/google/api/annotations.proto`,
  },
  {
    path: 'google/api/client.proto',
    sha256: 'a5a13ea853fcb58095c645506dadc174fc200185973b2804af679c30ecf7399d',
    from: `${gax}/google/api/client.proto`,
  },
  {
    path: 'google/api/http.proto',
    sha256: '4a4d9be6a5c7f1989c93c25c71b48ff1b401645790b8b978ad34d579e29c4a2a',
    from: `${gax}/google/api/http.proto`,
  },
  {
    path: 'google/api/launch_stage.proto',
    sha256: '6ffd80d69f94430b4704b40fca9a339e10887f315efa66ac9c3c7d5587d6aba5',
    from: `${gax}/google/api/launch_stage.proto`,
  },
  {
    path: 'google/longrunning/operations.proto',
    sha256: 'fcf560f3b8b9d1bdda82803026ac8caa616b0ee19d0f554e8eb9ef7b2f201fc2',
    from: `${gax}/google/longrunning/operations.proto`,
  },
  {
    path: 'google/rpc/code.proto',
    sha256: '9993be65e050c30ced246951659dbe0a13663b77cf57bcaa4c0ed4248480fb80',
    from: `${gax}/google/rpc/code.proto`,
  },
  {
    path: 'google/rpc/error_details.proto',
    sha256: 'da3f5ac1304abfd6ab2f959b4ac3e6cb0758b52fca388c226bf3b92af95e07ed',
    from: `${gax}/google/rpc/error_details.proto`,
  },
  {
    path: 'google/rpc/status.proto',
    sha256: '3b5c712455570ac4342dd3c521c4c11011652ae9a0fbca75ba22fcc45c6e1991',
    from: `${gax}/google/rpc/status.proto`,
  },
  {
    path: 'grpc/health/v1/health.proto',
    sha256: '56f603a42e4f9ca2d2f50ec7217871509c090566fefc5cb97aa90d1c1cb2a212',
    from: 'grpc-health-check/proto/health/v1/health.proto',
  },
  {
    path: 'grpc/reflection/v1/reflection.proto',
    sha256: '873f0d93cb89138f6cbfce5e3abfa184c41e23cbf8f4837e6317921fa1902299',
    from: `${reflection}/grpc/reflection/v1/reflection.proto`,
  },
  {
    path: 'grpc/reflection/v1alpha/reflection.proto',
    sha256: '9dc8aa98b92cdce134932222ee4c96f3a16b8d3142006888a12798a531f726fc',
    from: `${reflection}/grpc/reflection/v1alpha/reflection.proto`,
  },
]

const pythonPackage = 'protovalidate'
const pythonVersion = '1.1.2'
const installTimeoutMs = 300_000

class AssemblyError extends Error {}

function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** A file too many is as wrong as one too few: the folder is an input of lint, generation and the breaking check. */
function isComplete(folder: string): boolean {
  if (!existsSync(folder)) return false
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return (
    files.length === definitions.length &&
    definitions.every(({ path, sha256 }) => existsSync(join(folder, path)) && sha256Of(join(folder, path)) === sha256)
  )
}

function works(command: readonly string[]): boolean {
  const [program = '', ...rest] = command
  return spawnSync(program, [...rest, '--version'], { stdio: 'ignore', timeout: installTimeoutMs }).status === 0
}

const pips: readonly (readonly string[])[] = [['pip'], ['pip3'], ['python3', '-m', 'pip']]

function pip(): readonly string[] {
  const found = pips.find(works)
  if (found !== undefined) return found
  if (process.getuid?.() === 0 && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0) {
    process.stdout.write('make protos: pip is missing, installing python3-pip\n')
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const run = (...args: string[]) =>
      spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: installTimeoutMs })
    run('update', '-q')
    run('install', '-q', '-y', '--no-install-recommends', 'python3-pip', 'python3-venv')
    const installed = pips.find(works)
    if (installed !== undefined) return installed
  }
  throw new AssemblyError(
    `pip is needed to read ${pythonPackage} ${pythonVersion}. Install python3-pip, then repeat make protos.`,
  )
}

/** validate.proto is in no npm package: it comes from the source package of the Python implementation. */
function readValidateProto(into: string, scratch: string): void {
  const [program = '', ...rest] = pip()
  const args = ['download', '--quiet', '--disable-pip-version-check', '--no-deps', '--no-binary', ':all:']
  const download = spawnSync(program, [...rest, ...args, '--dest', scratch, `${pythonPackage}==${pythonVersion}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: installTimeoutMs,
  })
  const archive = readdirSync(scratch).find((name) => name.endsWith('.tar.gz'))
  if (download.status !== 0 || archive === undefined) {
    throw new AssemblyError(
      `pip could not download the source package ${pythonPackage} ${pythonVersion}:\n${download.stderr.trim()}`,
    )
  }
  const folder = archive.slice(0, -'.tar.gz'.length)
  const member = `${folder}/upstream/proto/buf/validate/validate.proto`
  execFileSync('tar', ['-xzf', join(scratch, archive), '-C', scratch, member], { stdio: 'inherit' })
  copyFileSync(join(scratch, member), into)
}

function assemble(folder: string, scratch: string): void {
  for (const { path, from, sha256 } of definitions) {
    const to = join(folder, path)
    mkdirSync(dirname(to), { recursive: true })
    const kept = join(target, path)
    if (from === undefined && existsSync(kept) && sha256Of(kept) === sha256) copyFileSync(kept, to)
    else if (from === undefined) readValidateProto(to, scratch)
    else if (existsSync(join(root, 'node_modules', from))) copyFileSync(join(root, 'node_modules', from), to)
    else throw new AssemblyError(`${from} is not installed. Run make install first.`)
    if (sha256Of(to) !== sha256) {
      throw new AssemblyError(
        `${path} is not the one this repository was built with. Check the package, then its hash here.`,
      )
    }
  }
}

function main(): void {
  if (isComplete(target)) return
  mkdirSync(join(root, 'build'), { recursive: true })
  const work = mkdtempSync(join(root, 'build/protos-'))
  try {
    const folder = join(work, 'proto')
    mkdirSync(join(work, 'scratch'))
    assemble(folder, join(work, 'scratch'))
    rmSync(target, { recursive: true, force: true })
    renameSync(folder, target)
    process.stdout.write(`make protos: ${definitions.length} definitions are in build/proto\n`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

try {
  main()
} catch (error) {
  if (!(error instanceof AssemblyError)) throw error
  process.stderr.write(`make protos: ${error.message}\n`)
  process.exitCode = 1
}
