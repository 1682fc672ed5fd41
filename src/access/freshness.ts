import { TenureError } from '../base/errors.ts'
import { platformTenantId } from '../base/ids.ts'
import { decodeRevision, type Revision } from '../base/revision.ts'
import type { Freshness } from '../rpc/ports.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { Engines } from './engines.ts'

export interface FreshnessParts {
  readonly engines: Engines
  readonly directory: Directory
  /** Resolves when every change of the directory committed before the call is in decisions. */
  readonly followDirectory: () => Promise<void>
  /** Resolves when decisions stand on the directory's head as it is committed, also after a restore. */
  readonly compareDirectory: () => Promise<void>
}

export function createFreshness(parts: FreshnessParts): Freshness {
  return {
    atLeast(token, context) {
      const revision = decodeRevision(token)
      if (revision === undefined) throw notOurs()
      if (revision.tenantId === platformTenantId) {
        return revision.timelineId === parts.directory.timelineId()
          ? reachDirectory(parts, revision)
          : reachOtherTimeline(parts, revision)
      }
      // Of another tenant, or where no tenant is: told apart from a forged one by nobody.
      if (context === undefined || revision.tenantId !== context.tenantId) throw notOurs()
      return reachTenant(parts, context, revision)
    },
  }
}

/** Another server may have changed the catalogue or a platform account, and this one not have heard of it. */
function reachDirectory({ directory, followDirectory }: FreshnessParts, revision: Revision): void | Promise<void> {
  if (revision.directoryRevision <= directory.revision()) return undefined
  return followDirectory().then(() => {
    if (revision.directoryRevision > directory.revision()) throw stale()
  })
}

/** The directory may have been restored while this server ran. */
async function reachOtherTimeline(parts: FreshnessParts, revision: Revision): Promise<void> {
  await parts.compareDirectory()
  if (revision.timelineId !== parts.directory.timelineId()) throw lost()
  await reachDirectory(parts, revision)
}

async function reachTenant(
  parts: FreshnessParts,
  context: Pick<TenantContext, 'tenantId'>,
  revision: Revision,
): Promise<void> {
  const { engines } = parts
  const snapshot = await engines.of(context.tenantId)
  if (snapshot !== undefined && snapshot.tenant.timelineId !== revision.timelineId) throw lost()
  await reachDirectory(parts, revision)
  await engines.tenants.atLeast(context.tenantId, revision.tenantRevision)
}

function notOurs(): TenureError {
  return new TenureError(
    'INVALID_REVISION',
    'at_least_revision: is not a revision of this place. Pass one that a call about it answered.',
  )
}

function lost(): TenureError {
  return new TenureError(
    'REVISION_LOST',
    'This revision is from before a restore and may be lost. Read again without at_least_revision.',
  )
}

function stale(): TenureError {
  return new TenureError('STALE', 'This server has not seen that revision yet. Repeat the call in a moment.', {
    retryAfterMs: 200,
  })
}
