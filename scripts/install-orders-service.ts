import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// Installs examples/orders-service with the SDK as the sources have it now. Nothing to do when both are there already:
// copies beside the installed packages say from which lock and which SDK they came.

const root = join(import.meta.dirname, '..')
const service = join(root, 'examples/orders-service')
const claim = join(root, 'build/orders-service.installing')

/** Two at a time would remove what the other one installs: whoever comes second waits, and finds it done. */
function claimed(install: () => void): void {
  mkdirSync(join(root, 'build'), { recursive: true })
  while (!takeClaim()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  try {
    install()
  } finally {
    rmSync(claim, { force: true })
  }
}

function takeClaim(): boolean {
  try {
    writeFileSync(claim, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    if (existsSync(claim) && !isAlive(Number(readFileSync(claim, 'utf8')))) rmSync(claim, { force: true })
    return false
  }
}

/** A claim that was made this moment has no number in it yet. */
function isAlive(pid: number): boolean {
  try {
    return pid === 0 || process.kill(pid, 0)
  } catch {
    return false
  }
}

claimed(() => {
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
})
process.stdout.write('examples/orders-service is installed\n')
