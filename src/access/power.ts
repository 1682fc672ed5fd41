import type { Clock } from '../base/clock.ts'
import { notFound } from '../base/errors.ts'
import { platformTenantId } from '../base/ids.ts'
import { type Call, type Caller, callerOf } from '../rpc/call.ts'
import { Bitset } from './engine/bitset.ts'
import { compileBinding } from './engine/compiled-binding.ts'
import type { PrincipalFact, WorkspaceFact } from './engine/facts.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Engines } from './engines.ts'

/** Stands for every workspace there is or will be: only what reaches everywhere is held in it. */
export const everyWorkspace = 'every workspace'

export type PowerPlace = WorkspaceFact | undefined | typeof everyWorkspace

/**
 * What a principal holds at a place, whatever state the place or the principal is in: one that is disabled now may be
 * enabled later, and a key made for it meanwhile would wake with it. Empty where it has no binding.
 */
export function powerOfPrincipal(
  snapshot: TenantSnapshot,
  principal: PrincipalFact,
  place: PowerPlace,
  nowMs: number,
): Bitset {
  if (place !== everyWorkspace) return snapshot.binding(principal, place, nowMs)?.bits ?? Bitset.empty
  // No workspace has an empty id, so nothing but tenant memberships that reach everywhere contribute.
  const anyWorkspace: WorkspaceFact = { workspaceId: '' as WorkspaceFact['workspaceId'], slug: '', state: 'ACTIVE' }
  return compileBinding(snapshot.sourcesOf(principal, anyWorkspace), nowMs)?.bits ?? Bitset.empty
}

/** What a caller holds at a place with the credential it came with. */
export function powerOfCaller(snapshot: TenantSnapshot, caller: Caller, place: PowerPlace, nowMs: number): Bitset {
  const principal = snapshot.principalById(caller.principalId)
  const key = snapshot.apiKeyById(caller.credentialId)
  if (principal?.active !== true || key === undefined) return Bitset.empty
  const power = powerOfPrincipal(snapshot, principal, place, nowMs)
  const narrowing = snapshot.narrowingOf(key)
  return narrowing === undefined ? power : power.intersect(narrowing)
}

/** What the caller of a call holds, asked for place by place. A platform caller holds what it holds everywhere. */
export async function powerOfCall(
  { engines, clock }: { readonly engines: Engines; readonly clock: Clock },
  call: Call,
): Promise<(place: PowerPlace) => Bitset> {
  const caller = callerOf(call)
  const snapshot = await engines.of(caller.tenantId)
  if (snapshot === undefined) throw notFound()
  const platform = caller.tenantId === platformTenantId
  const nowMs = clock.nowMs()
  return (place) => powerOfCaller(snapshot, caller, platform ? undefined : place, nowMs)
}
