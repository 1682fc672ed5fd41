import { create } from '@bufbuild/protobuf'
import { invalidField, notFound } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import { expireTimeFrom } from '../base/expire-time.ts'
import { lastSegment } from '../base/resource-name.ts'
import { fieldsToUpdate } from '../base/update-mask.ts'
import { Membership_WorkspaceReach } from '../gen/tenure/v1/membership_pb.ts'
import { type UpdateMembershipRequest, UpdateMembershipResponseSchema } from '../gen/tenure/v1/membership_service_pb.ts'
import { type Call, contextOf, mutationOf } from '../rpc/call.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import { insertMembership, reachFrom, rolesToGive } from './insert-membership.ts'
import { isStandingOwner, type MembershipRow } from './membership.ts'
import { createNameLookup, membershipToProto } from './membership-proto.ts'
import type { MembershipServiceParts } from './membership-service.ts'
import { assertOwnerRemains, membershipRows } from './membership-store.ts'

const changeable = ['roles', 'workspace_reach', 'expire_time'] as const

export async function updateMembership(parts: MembershipServiceParts, request: UpdateMembershipRequest, call: Call) {
  const { membership } = request
  if (membership === undefined || membership.name === '') throw invalidField('membership.name', 'must be set')
  const fields = fieldsToUpdate(request.updateMask?.paths ?? [], changeable, {
    roles: membership.roles.length > 0,
    workspace_reach: membership.workspaceReach !== Membership_WorkspaceReach.UNSPECIFIED,
    expire_time: membership.expireTime !== undefined,
  })
  const slug = lastSegment(membership.name)
  const context = contextOf(call)
  const mutation = {
    ...mutationOf(call, UpdateMembershipResponseSchema, {
      target: membership.name,
      validateOnly: request.validateOnly,
    }),
    allWorkspaces: 'owner-count' as const,
  }
  return parts.scopes.write(context, mutation, async (unit) => {
    const found = await membershipRows(unit).find({ slug })
    if (found === undefined && !request.allowMissing) throw notFound()
    if (found === undefined) await parts.demands.demand(call, context, 'memberships.create')
    const names = createNameLookup(unit)
    const row =
      found === undefined
        ? await insertMembership(parts, unit, call, membership, slug, names)
        : await change(parts, unit, call, request, found, fields)
    const answer = await membershipToProto(row, unit, names, unit.now.getTime())
    const diff = await parts.diffs.field(unit, request.validateOnly, [row.principalId])
    return create(UpdateMembershipResponseSchema, { membership: answer, revision: unit.revision, ...diff })
  })
}

async function change(
  parts: MembershipServiceParts,
  unit: Unit,
  call: Call,
  { membership }: UpdateMembershipRequest,
  found: MembershipRow,
  fields: ReadonlySet<(typeof changeable)[number]>,
): Promise<MembershipRow> {
  if (membership === undefined) throw notFound()
  checkEtag(membership.etag, found.membershipId, found.version)
  await parts.grants.assertMayTouch(call, unit, [found])
  const reachAll = fields.has('workspace_reach') ? reachFrom(membership, unit) : found.reachAll
  if (fields.has('roles') && membership.roles.length === 0) {
    throw invalidField('membership.roles', 'must have at least one role; delete the membership to take all away')
  }
  // A wider reach gives what the roles grant in every workspace, so it is checked like roles newly given.
  if (reachAll && !found.reachAll) await parts.grants.assertMayTouch(call, unit, [{ ...found, reachAll }])
  const roles = fields.has('roles') ? await rolesToGive(parts, unit, call, membership.roles, reachAll) : found.roles
  const expireTime = fields.has('expire_time')
    ? expireTimeFrom('membership.expire_time', membership.expireTime, unit.now.getTime())
    : found.expireTime
  const written = { roles, reachAll, expireTime, version: found.version + 1, updateTime: unit.now }
  await membershipRows(unit).update(found.membershipId, written)
  const row = { ...found, ...written }
  unit.note('fields', [...fields].sort())
  if (fields.has('roles')) unit.note('roles', membership.roles)
  if (fields.has('workspace_reach')) unit.note('reach_all', reachAll)
  if (isStandingOwner(found) && !isStandingOwner(row)) await assertOwnerRemains(unit)
  return row
}
