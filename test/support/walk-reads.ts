import { type AccessSecretVersionResponse, SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { Tenant_State } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { type GetTenantResponse, TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import type { Chance } from './crash-chance.ts'
import { callOf } from './walk-client.ts'
import { listed, walkKinds, wordOf } from './walk-kinds.ts'
import { isThere, placeIn, type WalkTenant } from './walk-model.ts'
import type { WalkCaller, WalkPart, WalkQuestion } from './walk-question.ts'
import { refusalOf, type WalkDemand } from './walk-rules.ts'
import type { WalkWorld } from './walk-world.ts'

/** The tenant a caller asks about: mostly its own, where the answer is longest; often another. */
export function targetOf(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkTenant {
  const isOwn = caller.tenant !== undefined && chance.isTrue(0.75)
  return world.tenant(isOwn ? (caller.tenant ?? 0) : chance.below(world.histories.length))
}

/** Whether the caller is admitted, by the state of whoever decides that. */
export function admissionOf(
  caller: WalkCaller,
  target: WalkTenant,
  demand: WalkDemand,
): Pick<WalkPart, 'judge' | 'admission'> {
  if (caller.tenant !== undefined) {
    return { judge: caller.tenant, admission: (tenant) => refusalOf(tenant, caller.keyName, demand) }
  }
  const admission = (tenant: WalkTenant) => {
    const place = tenant.workspaces.get(demand.workspace)
    const isMissing = demand.isWorkspaceItself === true ? place === undefined : !isThere(tenant, demand.workspace)
    if (demand.workspace !== '' && isMissing) return 'NOT_FOUND'
    return place?.state === 'ARCHIVED' && demand.writes ? 'WORKSPACE_ARCHIVED' : ''
  }
  return { judge: target.number, admission }
}

/** The token of the newest state, or none; and which state that is. */
export function fromNow(world: WalkWorld, chance: Chance, target: WalkTenant, caller: WalkCaller) {
  const history = world.histories[target.number]
  const isMine = caller.tenant === undefined || caller.tenant === target.number
  if (history === undefined || !isMine || chance.isTrue(0.7)) return { atLeastRevision: '', from: 0 }
  return { atLeastRevision: history.revision, from: history.number }
}

export function mayNameOf(caller: WalkCaller, target: WalkTenant): ReadonlySet<number> {
  return new Set([caller.tenant ?? target.number])
}

/** One thing, by a name that is right, another tenant's, or nobody's. */
export function getOne(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const target = targetOf(world, chance, caller)
  const kind = chance.pick(walkKinds)
  const workspace = workspaceFor(chance, target, kind.at)
  const lender = chance.isTrue(0.85) ? target : world.tenant(chance.below(world.histories.length))
  const names = [...kind.standing(lender, workspace).keys()]
  const noId = kind.noun === 'apiKeys' ? world.neverUid : 'nowhere'
  const nobodys = `${placeIn(target, kind.noun === 'workspaces' ? '' : workspace)}/${kind.noun}/${noId}`
  // What another tenant has, under our name: there only if we have a twin.
  const name = names.length > 0 && chance.isTrue(0.95) ? chance.pick(names).replace(lender.name, target.name) : nobodys
  const isWorkspaceItself = kind.noun === 'workspaces'
  const at = isWorkspaceItself ? (name.split('/')[3] ?? '') : workspace
  const { atLeastRevision, from } = fromNow(world, chance, target, caller)
  const demand = {
    tenant: target.name,
    workspace: at,
    permission: `${kind.noun}.get`,
    writes: false,
    isWorkspaceItself,
  }
  const part: WalkPart = {
    ...{ ...admissionOf(caller, target, demand), about: target.number, from, isFromMemory: false },
    content: (tenant) => kind.standing(tenant, workspace).get(name) ?? '!NOT_FOUND',
  }
  return {
    ...{ caller, call: kind.get(name, atLeastRevision), parts: [part], mayName: mayNameOf(caller, target) },
    read: (answer) => kind.read(answer),
  }
}

export function listAll(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const target = targetOf(world, chance, caller)
  const kind = chance.pick(walkKinds)
  const workspace = workspaceFor(chance, target, kind.at)
  const { atLeastRevision, from } = fromNow(world, chance, target, caller)
  const demand = { tenant: target.name, workspace, permission: `${kind.noun}.list`, writes: false }
  const part: WalkPart = {
    ...{ ...admissionOf(caller, target, demand), about: target.number, from, isFromMemory: false },
    content: (tenant) => [...listed(kind, tenant, workspace)].sort().join('\n'),
  }
  return {
    ...{ caller, call: kind.list(placeIn(target, workspace), atLeastRevision), parts: [part] },
    mayName: mayNameOf(caller, target),
    read: (answer) => [[...kind.read(answer)].sort().join('\n')],
  }
}

function workspaceFor(chance: Chance, target: WalkTenant, at: readonly ('tenant' | 'workspace')[]): string {
  return chance.pick(at) === 'tenant' ? '' : chance.pick([...target.workspaces.keys()])
}

export function getTenant(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const target = targetOf(world, chance, caller)
  const { atLeastRevision, from } = fromNow(world, chance, target, caller)
  const demand = { tenant: target.name, workspace: '', permission: 'tenants.get', writes: false }
  const part: WalkPart = {
    ...{ ...admissionOf(caller, target, demand), about: target.number, from, isFromMemory: false },
    content: ({ uid, displayName, state }) => `${uid} ${displayName} ${state}`,
  }
  return {
    ...{ caller, parts: [part], mayName: mayNameOf(caller, target) },
    call: callOf(TenantService.method.getTenant, { name: target.name, atLeastRevision }),
    read: (answer) => {
      const { tenant } = answer as GetTenantResponse
      return [`${tenant?.uid} ${tenant?.displayName} ${wordOf(Tenant_State, tenant?.state ?? 0)}`]
    },
  }
}

/** The value of a secret: the one thing that must never be another's. */
export function accessSecret(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const target = targetOf(world, chance, caller)
  const secret = chance.pick([...target.secrets.values()])
  const number = chance.below(secret.values.length + 1)
  const name = `${secret.name}/versions/${number === 0 ? 'latest' : number}`
  const { workspace } = secret
  const demand = { tenant: target.name, workspace, permission: 'secrets.access', writes: true }
  const part: WalkPart = {
    ...{ ...admissionOf(caller, target, demand), about: target.number, from: 0, isFromMemory: false },
    content(tenant) {
      const values = tenant.secrets.get(secret.name)?.values ?? []
      const value = number === 0 ? values.at(-1) : values[number - 1]
      return value === undefined
        ? '!NOT_FOUND'
        : `${secret.name}/versions/${number === 0 ? values.length : number} ${value}`
    },
  }
  return {
    ...{ caller, parts: [part], mayName: mayNameOf(caller, target) },
    call: callOf(SecretService.method.accessSecretVersion, { name }),
    read: (answer) => {
      const { name: of, payload } = answer as AccessSecretVersionResponse
      return [`${of} ${Buffer.from(payload).toString()}`]
    },
  }
}
