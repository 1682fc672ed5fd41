import { create } from '@bufbuild/protobuf'
import type { AccessDiffs } from '../access/access-diff.ts'
import type { Grants } from '../access/grants.ts'
import type { Clock } from '../base/clock.ts'
import { invalidField, notFound } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import type { Ids } from '../base/ids.ts'
import { lastSegment } from '../base/resource-name.ts'
import type { Membership } from '../gen/tenure/v1/membership_pb.ts'
import {
  type BatchCreateMembershipsRequest,
  BatchCreateMembershipsResponseSchema,
  CreateMembershipResponseSchema,
  DeleteMembershipResponseSchema,
  GetMembershipResponseSchema,
  ListMembershipsResponseSchema,
  MembershipService,
} from '../gen/tenure/v1/membership_service_pb.ts'
import { type Call, contextOf, implement, mutationOf, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import type { Demands } from '../rpc/ports.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import { retireName } from '../tenancy/retired-names.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import { insertMembership } from './insert-membership.ts'
import { isStandingOwner, type MembershipRow } from './membership.ts'
import { createNameLookup, membershipName, membershipToProto } from './membership-proto.ts'
import { assertOwnerRemains, membershipRows } from './membership-store.ts'
import { principalNamed } from './principal-named.ts'
import { updateMembership } from './update-membership.ts'

export interface MembershipServiceParts {
  readonly scopes: Scopes
  readonly tokens: PageTokens
  readonly ids: Ids
  readonly clock: Clock
  readonly grants: Grants
  readonly demands: Demands
  readonly diffs: AccessDiffs
}

/** Principals are asked for by name and stored by uid. */
function listSpecFor(scope: ReadScope): ListSpec {
  const resolve = (kind: 'user' | 'service_account') => async (name: string) =>
    (await principalNamed(scope, kind, name).catch(() => undefined))?.principalId
  return {
    tieBreak: 'slug',
    fields: {
      name: { property: 'slug', kind: 'text', order: true },
      user: { property: 'principalId', kind: 'reference', filter: true, resolve: resolve('user') },
      service_account: {
        property: 'principalId',
        kind: 'reference',
        filter: true,
        resolve: resolve('service_account'),
      },
      create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
    },
  }
}

export function createMembershipService(parts: MembershipServiceParts): ServiceImplementation {
  return implement(MembershipService, {
    createMembership(request, call) {
      const target = `${request.parent}/memberships${request.membershipId === '' ? '' : `/${request.membershipId}`}`
      const { validateOnly } = request
      const mutation = {
        ...mutationOf(call, CreateMembershipResponseSchema, { target, validateOnly }),
        ...parts.diffs.opening(validateOnly),
      }
      return parts.scopes.write(contextOf(call), mutation, async (unit) => {
        const names = createNameLookup(unit)
        const { membershipId: id } = request
        const row = await insertMembership(parts, unit, call, required(request.membership), id, names)
        unit.target(membershipName(unit.context, row.slug))
        unit.note('granted', [grantText(required(request.membership), row)])
        const membership = await membershipToProto(row, unit, names, unit.now.getTime())
        const diff = await parts.diffs.field(unit, request.validateOnly, [row.principalId])
        return create(CreateMembershipResponseSchema, { membership, revision: unit.revision, ...diff })
      })
    },
    batchCreateMemberships: (request, call) => batchCreate(parts, request, call),
    async getMembership(request, call) {
      const membership = await parts.scopes.read(contextOf(call), async (scope) => {
        const row = await membershipRows(scope).find({ slug: lastSegment(request.name) })
        if (row === undefined) throw notFound()
        return membershipToProto(row, scope, createNameLookup(scope), parts.clock.nowMs())
      })
      return create(GetMembershipResponseSchema, { membership })
    },
    listMemberships(request, call) {
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      return parts.scopes.read(contextOf(call), async (scope) => {
        const page = await listPage(membershipRows(scope), listSpecFor(scope), request, binding, parts.tokens)
        const names = createNameLookup(scope)
        const memberships: Membership[] = []
        for (const row of page.rows) memberships.push(await membershipToProto(row, scope, names, parts.clock.nowMs()))
        return create(ListMembershipsResponseSchema, { memberships, nextPageToken: page.nextPageToken })
      })
    },
    updateMembership: (request, call) => updateMembership(parts, request, call),
    deleteMembership: (request, call) => deleteMembership(parts, request, call),
  })
}

function batchCreate(parts: MembershipServiceParts, request: BatchCreateMembershipsRequest, call: Call) {
  const target = `${request.parent}/memberships`
  const { validateOnly } = request
  const mutation = {
    ...mutationOf(call, BatchCreateMembershipsResponseSchema, { target, validateOnly }),
    ...parts.diffs.opening(validateOnly),
  }
  return parts.scopes.write(contextOf(call), mutation, async (unit) => {
    const names = createNameLookup(unit)
    const memberships: Membership[] = []
    const principals: string[] = []
    const granted: string[] = []
    for (const each of request.requests) {
      const row = await insertMembership(parts, unit, call, required(each.membership), each.membershipId, names)
      principals.push(row.principalId)
      granted.push(grantText(required(each.membership), row))
      memberships.push(await membershipToProto(row, unit, names, unit.now.getTime()))
    }
    unit.note('granted', granted)
    const diff = await parts.diffs.field(unit, request.validateOnly, principals)
    return create(BatchCreateMembershipsResponseSchema, { memberships, revision: unit.revision, ...diff })
  })
}

function deleteMembership(
  parts: MembershipServiceParts,
  request: { readonly name: string; readonly etag: string },
  call: Call,
) {
  const mutation = {
    ...mutationOf(call, DeleteMembershipResponseSchema, { target: request.name }),
    allWorkspaces: 'owner-count' as const,
  }
  return parts.scopes.write(contextOf(call), mutation, async (unit) => {
    const row = await membershipRows(unit).find({ slug: lastSegment(request.name) })
    if (row === undefined) throw notFound()
    checkEtag(request.etag, row.membershipId, row.version)
    await parts.grants.assertMayTouch(call, unit, [row])
    const membership = await membershipToProto(row, unit, createNameLookup(unit), unit.now.getTime())
    await membershipRows(unit).delete(row.membershipId)
    await retireName(unit, 'memberships', row.slug)
    if (isStandingOwner(row)) await assertOwnerRemains(unit)
    return create(DeleteMembershipResponseSchema, { membership, revision: unit.revision })
  })
}

/** What the audit event of a creation keeps: who got which roles, and how far they reach. */
function grantText({ member, roles }: Membership, { reachAll }: MembershipRow): string {
  return `${member.value ?? ''}: ${roles.join(', ')}${reachAll ? ' in every workspace' : ''}`
}

function required(membership: Membership | undefined): Membership {
  if (membership === undefined) throw invalidField('membership', 'must be set')
  return membership
}
