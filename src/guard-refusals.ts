import { ownSource } from './assurance/guard-violation.ts'
import { type GuardViolationBook, openGuardViolationBook } from './assurance/guard-violation-book.ts'
import { isAway } from './base/errors.ts'
import type { TenantId } from './base/ids.ts'
import type { AlertHook } from './observe/alert-hook.ts'
import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'
import type { Refusal } from './storage-parts.ts'

const maxStatement = 4_096

/** Writing down a refusal must not, refused itself, begin the same again. */
const own: ReadonlySet<string> = new Set(['access-log', 'platform-access-log', 'diagnostics'])

/**
 * Everything a refusal of the guard is told to beside the log and the metric: an event in the chain of the tenant
 * concerned, the list of violations, and whoever is to be woken.
 */
export function openGuardRefusals(platform: Platform, runtime: Runtime, alerts: AlertHook): GuardViolationBook {
  const { directory, capabilities, accessLog, storage } = platform
  const { clock, ids, log } = runtime
  const book = openGuardViolationBook({
    ...{ directory, capability: capabilities.diagnostics, clock, ids },
    failed: (error) => {
      if (isAway(error)) return
      log.error({ err: error }, 'refusals of the guard could not be taken down; it is tried again')
    },
  })
  storage.onRefusal((refusal) => {
    const { reason, statement, binding } = refusal
    if (binding?.kind === 'platform' && own.has(binding.purpose)) return
    const { tenantUid, workspaceUid } = placeOf(refusal)
    // Blanking can make a text longer than its column takes.
    const shown = statement.slice(0, maxStatement)
    book.add({
      source: ownSource,
      tenantUid,
      workspaceUid,
      reason,
      statement: shown,
      guardMode: 'ENFORCE',
      seenCount: 1,
    })
    alerts.raise('guard.refused', { reason, statement, tenant_uid: tenantUid })
    if (tenantUid === '') return
    accessLog.record({
      tenantId: tenantUid as TenantId,
      context: undefined,
      actor: { principal: ownSource, credential: '', requestId: '', clientIp: '' },
      ...{ event: 'guard.refuse', target: ownSource, denied: true, reason },
      details: { workspace_uid: workspaceUid },
    })
  })
  return book
}

function placeOf({ binding }: Refusal): { readonly tenantUid: string; readonly workspaceUid: string } {
  if (binding?.kind !== 'tenant') return { tenantUid: '', workspaceUid: '' }
  return { tenantUid: binding.tenantId, workspaceUid: binding.allWorkspaces ? '' : binding.workspaceId }
}
