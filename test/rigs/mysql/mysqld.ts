import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const platforms: Readonly<Record<string, { loader: string; triplet: string }>> = {
  x64: { loader: 'ld-linux-x86-64.so.2', triplet: 'x86_64-linux-gnu' },
  arm64: { loader: 'ld-linux-aarch64.so.1', triplet: 'aarch64-linux-gnu' },
}

/** Small, and durable as by default: an acknowledged commit is on the disk. */
const settings = [
  '--mysqlx=OFF',
  '--skip-log-bin',
  '--innodb-buffer-pool-size=128M',
  '--innodb-redo-log-capacity=64M',
  '--performance-schema=OFF',
  '--max-connections=600',
]

/** The command line of an unpacked server. It runs through the loader it came with: the machine's C library may be older. */
function mysqldCommand(root: string, dataFolder: string): [string, ...string[]] {
  const platform = platforms[process.arch]
  if (platform === undefined) throw new Error(`MySQL is not packed for ${process.arch}`)
  const libraries = join(root, 'usr/lib', platform.triplet)
  return [
    join(libraries, platform.loader),
    ...['--library-path', `${libraries}:${join(root, 'usr/lib/mysql/private')}`],
    join(root, 'usr/sbin/mysqld'),
    '--no-defaults',
    `--lc-messages-dir=${join(root, 'usr/share/mysql')}`,
    `--character-sets-dir=${join(root, 'usr/share/mysql/charsets')}`,
    `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
    '--secure-file-priv=',
    ...settings,
    `--datadir=${dataFolder}`,
    // It refuses to run as the administrator unless that is asked for.
    ...(process.getuid?.() === 0 ? [`--user=${userInfo().username}`] : []),
  ]
}

/** Makes a data folder whose one account is `root` without a password. */
export async function initializeData(root: string, dataFolder: string): Promise<void> {
  const [program, ...args] = mysqldCommand(root, dataFolder)
  await promisify(execFile)(program, [...args, '--initialize-insecure'])
  // A server without this file takes a name of its own, so that two copies are two servers.
  rmSync(join(dataFolder, 'auto.cnf'))
}

export interface MysqldOptions {
  readonly root: string
  readonly dataFolder: string
  readonly port: number
  readonly logFile: string
  /** Statements it runs before it lets anybody in. */
  readonly initFile: string
}

/** Starts a server that dies with this process, however that ends, and that Ctrl-C does not reach. */
export function spawnMysqld({ root, dataFolder, port, logFile, initFile }: MysqldOptions): ChildProcess {
  const log = openSync(logFile, 'w', 0o600)
  const args = [
    ...['--pdeathsig', 'KILL', '--', ...mysqldCommand(root, dataFolder)],
    ...['--bind-address=127.0.0.1', `--port=${port}`, '--socket=mysqld.sock', '--pid-file=mysqld.pid'],
    `--init-file=${initFile}`,
  ]
  const child = spawn('setpriv', args, { detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  return child
}
