import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { roleRows } from '../access/role-store.ts'
import { etagOf } from '../base/etag.ts'
import { nameIn } from '../base/resource-name.ts'
import { Membership_State, Membership_WorkspaceReach, MembershipSchema } from '../gen/tenure/v1/membership_pb.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { MembershipRow } from './membership.ts'
import { principalName } from './principal-named.ts'

/** Names behind stored ids, looked up once for a whole page. */
export interface NameLookup {
  principal(row: MembershipRow): Promise<string>
  role(reference: string): Promise<string>
  /** The name behind a stored id or reference, where the caller has just found one by the other. */
  know(id: string, name: string): void
}

/** Reads inside the scope it was made for, and forgets with it. */
export function createNameLookup(scope: ReadScope): NameLookup {
  const tenant = `tenants/${scope.context.tenantSlug}`
  const known = new Map<string, string>()
  const once = async (id: string, find: () => Promise<string>): Promise<string> => {
    const name = known.get(id) ?? (await find())
    known.set(id, name)
    return name
  }
  return {
    know: (id, name) => void known.set(id, name),
    principal: ({ principalKind, principalId }) =>
      once(principalId, () => principalName(scope, principalKind, principalId)),
    role: (reference) =>
      reference.startsWith('roles/')
        ? Promise.resolve(reference)
        : once(reference, async () => {
            const role = await roleRows(scope).find({ roleId: reference })
            return role === undefined ? '' : `${tenant}/roles/${role.slug}`
          }),
  }
}

export async function membershipToProto(row: MembershipRow, scope: ReadScope, names: NameLookup, nowMs: number) {
  const roles: string[] = []
  for (const reference of row.roles) {
    const name = await names.role(reference)
    if (name !== '') roles.push(name)
  }
  const principal = await names.principal(row)
  const expired = row.expireTime !== null && row.expireTime.getTime() <= nowMs
  return create(MembershipSchema, {
    name: membershipName(scope.context, row.slug),
    uid: row.membershipId,
    etag: etagOf(row.membershipId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    member:
      row.principalKind === 'user' ? { case: 'user', value: principal } : { case: 'serviceAccount', value: principal },
    roles,
    workspaceReach: row.reachAll ? Membership_WorkspaceReach.ALL : Membership_WorkspaceReach.NONE,
    ...(row.expireTime === null ? {} : { expireTime: timestampFromDate(row.expireTime) }),
    state: expired ? Membership_State.EXPIRED : Membership_State.ACTIVE,
  })
}

export function membershipName(context: TenantContext, slug: string): string {
  return nameIn({ tenant: context.tenantSlug, workspace: context.workspaceSlug }, 'memberships', slug)
}
