import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installWhole } from '../install-whole.ts'

const name = '@electric-sql/pglite'
const version = '0.5.16'
const integrity = 'sha512-Nj8KcIsJL748W408U2N8q4+9IlONdpRIU8MJypIAAINMJ5nqKyqpX7Mgg/5XKkXiAib3AoZGR6hnJFlrlLBrcg=='

/** PostgreSQL 18 itself, compiled to run inside a process, from npm; installed at the first call. Answers its module. */
export async function installPglite(): Promise<string> {
  const home = await installWhole('pglite', async (folder) => {
    process.stderr.write(`${name} ${version}: installing from npm\n`)
    mkdirSync(folder, { recursive: true })
    const dependencies = { [name]: version }
    const locked = { version, integrity }
    const packages = { '': { dependencies }, [`node_modules/${name}`]: locked }
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, requires: true, packages }))
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
    await promisify(execFile)('npm', ['ci', ...options], { cwd: folder })
  })
  return join(home, 'node_modules', name, 'dist/index.js')
}
