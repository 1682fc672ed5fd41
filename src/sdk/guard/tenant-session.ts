import { AsyncLocalStorage } from 'node:async_hooks'
import { nilUuid } from '../../base/ids.ts'
import type { TenantBinding } from '../../sql-guard/guard-types.ts'
import type { TenantContext, TenantLevelContext } from '../tenant-context.ts'

export interface WithTenantOptions {
  /**
   * Lets the context of a tenant itself reach the rows of all its workspaces. Without it the tenant's own context reaches
   * tables without a workspace column, and no row that belongs to a workspace.
   */
  readonly allWorkspaces?: boolean
}

/** The work of one tenant, from its beginning to its end. */
export class TenantSession {
  readonly context: TenantContext | TenantLevelContext
  readonly binding: TenantBinding
  readonly #leases = new Set<() => void>()
  /** The `withTenant` of the same place that this one was entered in. */
  #around: TenantSession | undefined
  #ended = false

  constructor(context: TenantContext | TenantLevelContext, { allWorkspaces = false }: WithTenantOptions) {
    if (!isUid(context.tenantUid)) throw new TypeError('withTenant needs the context of a verified token')
    if (context.workspaceUid !== undefined && !isUid(context.workspaceUid)) {
      throw new TypeError('withTenant needs the context of a verified token')
    }
    // Whoever may act in one workspace may not reach the others, whatever the code around it would like.
    if (allWorkspaces && context.workspaceUid !== undefined) {
      throw new TypeError('allWorkspaces is for the context of a tenant itself: tenantLevelContextOf')
    }
    this.context = context
    const { tenantUid: tenantId, workspaceUid: workspaceId = nilUuid } = context
    this.binding = Object.freeze({ kind: 'tenant', tenantId, workspaceId, allWorkspaces })
    const around = current.getStore()
    if (around !== undefined && !around.ended && around.isSamePlaceAs(this)) this.#around = around.#withoutEnded()
  }

  get ended(): boolean {
    return this.#ended
  }

  isSamePlaceAs({ binding }: TenantSession): boolean {
    const { tenantId, workspaceId, allWorkspaces } = this.binding
    return (
      binding.tenantId === tenantId && binding.workspaceId === workspaceId && binding.allWorkspaces === allWorkspaces
    )
  }

  /** Whether this is that session, or was entered inside it: they are one piece of work. */
  isWithin(other: TenantSession): boolean {
    for (let session: TenantSession | undefined = this; session !== undefined; session = session.#around) {
      if (session === other) return true
    }
    return false
  }

  /** Calls `giveBack` when the session ends, unless the result is disposed before. */
  lease(giveBack: () => void): Disposable {
    this.#leases.add(giveBack)
    return { [Symbol.dispose]: () => this.#leases.delete(giveBack) }
  }

  end(): void {
    this.#ended = true
    for (const giveBack of this.#leases) giveBack()
    this.#leases.clear()
  }

  /** Work that starts its successor before it ends, again and again, must not hold on to all that went before it. */
  #withoutEnded(): this {
    while (this.#around?.ended === true) this.#around = this.#around.#around
    return this
  }
}

/** Of the whole process, not of one guard: a service with two databases is in one tenant at a time all the same. */
const current = new AsyncLocalStorage<TenantSession>()

export function currentSession(): TenantSession | undefined {
  return current.getStore()
}

/**
 * Runs `work` in the place of the context: every statement on a guarded connection inside it has to be pinned there.
 * Whatever outlives it is refused. Inside, the same place may be entered again and no other.
 */
export async function withTenant<T>(
  context: TenantContext | TenantLevelContext,
  work: () => Promise<T>,
  options: WithTenantOptions = {},
): Promise<T> {
  return inSession(new TenantSession(context, options), work)
}

export async function inSession<T>(session: TenantSession, work: () => Promise<T>): Promise<T> {
  const outer = current.getStore()
  // A request of one tenant that does the work of another has taken its context from somewhere it must not.
  if (outer !== undefined && !outer.ended && !outer.isSamePlaceAs(session)) {
    throw new TypeError('withTenant inside the withTenant of another place is refused')
  }
  try {
    return await current.run(session, work)
  } finally {
    session.end()
  }
}

/** Runs `work` where no tenant is at work: timers and caches that serve everybody must not inherit who started them. */
export function outsideTenant<T>(work: () => T): T {
  return current.exit(work)
}

function isUid(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value !== nilUuid
}
