import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { TenureError } from './base/errors.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { platformApiKeyRows } from './credentials/api-key-store.ts'
import { platformServiceAccountRows } from './people/service-account-store.ts'
import type { Platform } from './platform.ts'
import { insertPlatformKey, newPlatformKey, writePlatformKey } from './platform-credential.ts'
import type { Runtime } from './server.ts'
import type { PlatformReadScope } from './tenancy/platform-scope.ts'

const rootAccount = { slug: 'root', displayName: 'Root' }

/**
 * Makes `serviceAccounts/root` if there is no such account yet, and a key for it if it has none that is not revoked: the
 * way back in for whoever owns the machine. The key's text is written to the root key file before the transaction begins,
 * and taken away again when it fails: a key that nobody has seen must not exist. Answers whether it made one.
 */
export function bootstrapRootKey(platform: Platform, runtime: Runtime, config: Config): Promise<boolean> {
  // Of two at once one makes the key, and the other finds it made.
  return platform.storage.alone(() => makeRootKey(platform, runtime, config))
}

async function makeRootKey(platform: Platform, runtime: Runtime, config: Config): Promise<boolean> {
  const { directory, capabilities } = platform
  if ((await directory.read(capabilities['platform-principals'], liveRootKeys)) > 0) return false
  const key = newPlatformKey(config.environment, runtime)
  const actor = {
    ...{ principal: 'serviceAccounts/root', credential: 'bootstrap' },
    ...{ requestId: runtime.ids.next(), clientIp: '' },
  }
  const words = { environment: config.environment, displayName: 'Root key', expireTime: null }
  writeRootKey(config.rootKeyFile, key.text)
  try {
    await writePlatformKey(platform, actor, 'apiKeys.create', rootAccount, (unit) =>
      insertPlatformKey(unit, runtime.ids, rootAccount, key, words),
    )
  } catch (error) {
    // While the database is away nobody knows whether the key was made; then its text must not be lost.
    if (!(error instanceof TenureError && error.code === 'UNAVAILABLE')) rmSync(config.rootKeyFile, { force: true })
    throw error
  }
  return true
}

async function liveRootKeys(scope: PlatformReadScope): Promise<number> {
  const account = await platformServiceAccountRows(scope).findGenuine({ slug: rootAccount.slug })
  const ownerId = account?.serviceAccountId
  if (ownerId === undefined) return 0
  return (await platformApiKeyRows(scope).allGenuine({ ownerId, state: 'ACTIVE' })).length
}

function writeRootKey(file: string, key: string): void {
  if (existsSync(file)) {
    throw new StartError(
      `${file} exists already, but the database has no root key that is live. Move the file away: its key is revoked, or of another database.`,
    )
  }
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, `${key}\n`, { mode: 0o600, flag: 'wx' })
    chmodSync(file, 0o600)
  } catch {
    throw new StartError(`${file} cannot be written. Mend the permissions of its folder, or set TENURE_ROOT_KEY_FILE.`)
  }
}
