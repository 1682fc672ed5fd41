import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installWhole } from '../install-whole.ts'

const run = promisify(execFile)

export interface PythonPackages {
  /** Of the folder under `.rigs`. */
  readonly name: string
  /** Each as `<package>==<version>`. */
  readonly packages: readonly string[]
}

/**
 * Wheels of PyPI in an environment of their own, installed at the first call. Answers the folder the packages are in. What
 * they bring is started from there: scripts of an environment do not survive its being renamed.
 */
export async function installPythonPackages({ name, packages }: PythonPackages): Promise<string> {
  const home = await installWhole(name, async (folder) => {
    process.stderr.write(`${packages.join(', ')}: installing from PyPI\n`)
    await python('python3', ['-m', 'venv', folder])
    const options = ['--quiet', '--no-input', '--disable-pip-version-check', '--only-binary=:all:']
    await python(join(folder, 'bin/python'), ['-m', 'pip', 'install', ...options, ...packages])
  })
  const libraries = join(home, 'lib')
  const version = readdirSync(libraries).find((entry) => entry.startsWith('python3'))
  if (version === undefined) throw new Error(`${home} is no environment of Python; remove it`)
  return join(libraries, version, 'site-packages')
}

async function python(program: string, args: readonly string[]): Promise<void> {
  try {
    await run(program, args)
  } catch (error) {
    const { stderr = '', stdout = '', message } = error as Error & { stderr?: string; stdout?: string }
    throw new Error(`${stderr}${stdout}`.trim().split('\n').slice(-2).join(' ') || message)
  }
}
