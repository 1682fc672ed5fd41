import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

// Installs examples/orders-service with the SDK as the sources have it now. Nothing to do when both are there already:
// copies beside the installed packages say from which lock and which SDK they came.

const root = join(import.meta.dirname, '..')
const service = join(root, 'examples/orders-service')

execFileSync(process.execPath, [join(root, 'scripts/pack-sdk.ts')], { stdio: ['ignore', 'ignore', 'inherit'] })

const sources = [join(service, 'package-lock.json'), join(root, 'build/sdk/tenure-sdk.tgz')]
const copyOf = (source: string): string => join(service, 'node_modules', `.installed-${source.split('/').at(-1)}`)
const isInstalled = (source: string): boolean =>
  existsSync(copyOf(source)) && readFileSync(source).equals(readFileSync(copyOf(source)))

if (!sources.every(isInstalled)) {
  const options = ['--loglevel=error', '--prefer-offline', '--no-progress']
  execFileSync('npm', ['ci', ...options], { cwd: service, stdio: ['ignore', 'ignore', 'inherit'] })
  for (const source of sources) copyFileSync(source, copyOf(source))
}
process.stdout.write('examples/orders-service is installed\n')
