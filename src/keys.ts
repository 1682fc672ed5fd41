import { hkdfSync } from 'node:crypto'
import type { Config } from './config/config.ts'
import { openSigningKeys, type SigningKeys } from './credentials/signing-key-store.ts'
import { createWorkspaceSealer, type WorkspaceSealer } from './keyring/workspace-sealer.ts'
import type { Platform } from './platform.ts'
import { asStartError, openPlatformKey, platformKeyId, platformKeys } from './platform-keys.ts'
import type { Runtime } from './server.ts'
import { outsidePlaces } from './tenancy/place-check.ts'
import { readerContext } from './tenancy/reader-context.ts'
import { headRows } from './tenants/tenant-store.ts'
import { workspaceRows } from './tenants/workspace-store.ts'

/** Everything that rests on the keyring, but for the codes of rows: those are needed before anything is decided. */
export interface Keys extends AsyncDisposable {
  readonly pageTokenKey: Uint8Array
  readonly requestHashKey: Uint8Array
  readonly sealer: WorkspaceSealer
  readonly signingKeys: SigningKeys
}

/** Opens what the keyring seals; what a first start must make is made. */
export async function openKeys(config: Config, runtime: Runtime, platform: Platform): Promise<Keys> {
  await using stack = new AsyncDisposableStack()
  const { clock, random } = runtime
  const { storage, directory, capabilities, keyring } = platform
  const sealed = { directory, capability: capabilities['sealed-keys'], keyring, clock, random }
  const pageTokenKey = await openPlatformKey(sealed, platformKeys.pageToken)
  const sealer = stack.use(
    createWorkspaceSealer({
      ...{ keyring, clock, random },
      cacheMs: config.dataKeyCacheMs,
      feedAgeMs: platform.feeds.ageMs,
    }),
  )
  // Keys of workspaces die with them: no server goes on with what it unwrapped before.
  forgetWithWorkspaces(platform, sealer)
  const failed = (kid: string, error: unknown) =>
    runtime.log.error({ kid, err: error }, 'a signing key cannot be opened; it is neither used nor published')
  const signingKeys = await storage
    .alone(() =>
      openSigningKeys({
        directory,
        capability: capabilities['signing-keys'],
        keyring,
        keyId: platformKeyId,
        failed,
        ...runtime,
      }),
    )
    .catch((error: unknown) => Promise.reject(asStartError(error)))
  const owned = stack.move()
  const requestHashKey = Buffer.from(hkdfSync('sha256', pageTokenKey, '', 'tenure request hash', 32))
  return { pageTokenKey, requestHashKey, sealer, signingKeys, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** A change of a place that is there still leaves its keys alone: while the keyring is away they are all there is. */
function forgetWithWorkspaces({ onCommitted, scopes }: Platform, sealer: WorkspaceSealer): void {
  const stands = async (tenantId: string, workspaceId?: string): Promise<boolean> => {
    return outsidePlaces(() =>
      scopes.read(readerContext(tenantId), async (scope) => {
        const place =
          workspaceId === undefined ? await headRows(scope).find({}) : await workspaceRows(scope).find({ workspaceId })
        return place !== undefined && place.state !== 'PURGED'
      }),
    )
  }
  onCommitted((tenantId, changes) => {
    for (const [table, , id] of changes) {
      if (table !== 'tenant_heads' && table !== 'workspaces') continue
      const workspaceId = table === 'workspaces' ? id : undefined
      stands(tenantId, workspaceId).then(
        (still) => still || sealer.forget(tenantId, workspaceId),
        // Who cannot be asked may be gone.
        () => sealer.forget(tenantId, workspaceId),
      )
    }
  })
}
