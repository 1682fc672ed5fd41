import { AsyncLocalStorage } from 'node:async_hooks'
import type { TenantContext } from './tenant-context.ts'

/** Never decides anything: the context is always passed. It only notices when code strays from the place it runs in. */
const current = new AsyncLocalStorage<TenantContext>()

/** Runs `work` inside the place of a context. Throws when it already runs inside another tenant's. */
export function insidePlace<T>(context: TenantContext, work: () => Promise<T>): Promise<T> {
  const outer = current.getStore()
  if (outer !== undefined && outer.tenantId !== context.tenantId) {
    throw new Error('a scope of one tenant was opened inside a scope of another')
  }
  return current.run(context, work)
}

/** For a load that serves every place, whichever call happened to need it first. */
export function outsidePlaces<T>(work: () => T): T {
  return current.exit(work)
}

export function assertOutsidePlaces(): void {
  if (current.getStore() !== undefined) throw new Error('a platform capability was used inside a scope of a tenant')
}
