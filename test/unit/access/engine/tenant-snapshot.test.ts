import { describe, expect, test } from 'vitest'
import { type MembershipId, platformTenantId, tenantLevel } from '../../../../src/base/ids.ts'
import { decodeRevision } from '../../../../src/base/revision.ts'
import {
  acmeFacts,
  aliceId,
  apiKeyFact,
  changedFacts,
  membershipFact,
  prodId,
  readerRoleId,
  robotId,
  roleFact,
  stagingId,
  tenantFact,
  testPermissions,
  uid,
  userFact,
  workspaceFact,
  writerRoleId,
} from './fact-builders.ts'
import { createSnapshotRig } from './snapshot-rig.ts'

const first = uid<MembershipId>(41)
const second = uid<MembershipId>(42)
const robot = { kind: 'service_account', slug: 'robot' } as const
const reach = membershipFact({
  membershipId: second,
  workspaceId: tenantLevel,
  roles: [writerRoleId],
  reachAll: true,
})

describe('what a principal has at a place', () => {
  test('is the union of its memberships, in whatever order they come', () => {
    for (const memberships of [
      [membershipFact(), reach],
      [reach, membershipFact()],
    ]) {
      expect(createSnapshotRig({ memberships }).permissions()).toBe('orders.read orders.write')
    }
  })

  test('by a key is what the key is narrowed to, compiled once for all its questions', () => {
    const { snapshot, catalogue } = createSnapshotRig()
    const key = apiKeyFact({ permissions: ['orders.read'] })
    const narrowing = snapshot.narrowingOf(key)
    expect(narrowing?.indexes().map((bit) => catalogue.nameAt(bit))).toEqual(['orders.read'])
    expect(snapshot.narrowingOf(key)).toBe(narrowing)
  })

  test('of one role is that role`s own set, kept once for everybody who holds it', () => {
    const rig = createSnapshotRig()
    const { roles } = rig.snapshot.sourcesOf(userFact(), workspaceFact())
    expect(rig.ask().binding?.bits).toBe(roles.bitsOf(readerRoleId))
  })

  test('comes from tenant memberships only where they reach', () => {
    const rig = createSnapshotRig({ memberships: [membershipFact(), { ...reach, reachAll: false }] })
    expect(rig.permissions()).toBe('orders.read')
    expect(rig.permissions({ workspace: 'staging' })).toBe('')
    expect(rig.permissions({ workspace: '' })).toBe('orders.write')
  })

  test('never comes from another workspace, not even from a row there that claims to reach', () => {
    const rig = createSnapshotRig({ memberships: [membershipFact({ reachAll: true })] })
    expect(rig.reason({ workspace: 'staging' })).toBe('NO_ACCESS')
    expect(rig.reason({ workspace: '' })).toBe('NO_ACCESS')
  })

  test('is never another principal`s', () => {
    expect(createSnapshotRig().reason({ subject: robot })).toBe('NO_ACCESS')
  })

  test('does not include what an unknown role or an unknown permission would grant', () => {
    const rig = createSnapshotRig({
      roles: [roleFact({ permissions: ['ghosts.read'] })],
      memberships: [membershipFact({ roles: [readerRoleId, uid(39), 'roles/ghost', ''] })],
    })
    expect(rig.permissions()).toBe('')
    expect(rig.reason({ permission: '' })).toBe('GRANTED')
  })

  test('in a tenant never includes a power of the platform, whatever its rows say', () => {
    const rig = createSnapshotRig({
      roles: [roleFact({ permissions: ['tenants.create', 'orders.read'] })],
      memberships: [membershipFact({ roles: [readerRoleId, 'roles/platform.admin'] })],
    })
    expect(rig.permissions()).toBe('orders.read')
    expect(rig.reason({ permission: 'tenants.create' })).toBe('PERMISSION_MISSING')
  })

  test('on the platform is everything for roles/platform.admin', () => {
    const rig = createSnapshotRig({
      tenant: tenantFact({ tenantId: platformTenantId, slug: '' }),
      memberships: [membershipFact({ workspaceId: tenantLevel, roles: ['roles/platform.admin'] })],
    })
    expect(rig.permissions({ workspace: '' }).split(' ')).toHaveLength(testPermissions.length)
  })
})

test('workspaces are found by id, and all of them listed', () => {
  const { snapshot } = createSnapshotRig()
  expect(snapshot.workspaceById(stagingId)).toEqual(workspaceFact({ workspaceId: stagingId, slug: 'staging' }))
  expect(snapshot.workspaces().map(({ slug }) => slug)).toEqual(['prod', 'staging'])
})

describe('time', () => {
  const rig = createSnapshotRig({
    memberships: [membershipFact({ expireTimeMs: 5_000 }), { ...reach, expireTimeMs: 3_000 }],
  })

  test('takes each membership away at its very millisecond, without a commit', () => {
    expect(rig.permissions({}, 2_999)).toBe('orders.read orders.write')
    expect(rig.permissions({}, 3_000)).toBe('orders.read')
    expect(rig.permissions({}, 4_999)).toBe('orders.read')
    expect(rig.reason({}, 5_000)).toBe('NO_ACCESS')
  })
})

describe('a change', () => {
  test('of a membership is seen by the next question of that principal, and leaves others compiled', () => {
    const rig = createSnapshotRig({
      memberships: [membershipFact(), membershipFact({ membershipId: second, principalId: robotId })],
    })
    const before = [rig.ask().binding, rig.ask({ subject: robot }).binding]
    rig.snapshot.apply(changedFacts({ memberships: new Map([[first, membershipFact({ roles: [writerRoleId] })]]) }))
    expect(rig.permissions()).toBe('orders.write')
    expect(rig.ask().binding).not.toBe(before[0])
    expect(rig.ask({ subject: robot }).binding).toBe(before[1])
  })

  test('that hands a membership to another principal takes it from the first', () => {
    const rig = createSnapshotRig()
    expect(rig.reason()).toBe('GRANTED')
    rig.snapshot.apply(changedFacts({ memberships: new Map([[first, membershipFact({ principalId: robotId })]]) }))
    expect(rig.reason()).toBe('NO_ACCESS')
    expect(rig.reason({ subject: robot })).toBe('GRANTED')
  })

  test('of a role, a workspace or the tenant makes every compiled binding anew', () => {
    const rig = createSnapshotRig()
    for (const change of [
      { roles: new Map([[writerRoleId, undefined]]) },
      { workspaces: new Map([[stagingId, undefined]]) },
      { tenant: tenantFact({ revision: 2, region: 'us-1' }) },
    ]) {
      const before = rig.ask().binding
      rig.snapshot.apply(changedFacts(change))
      expect(rig.ask().binding).not.toBe(before)
    }
    const before = rig.ask().binding
    rig.snapshot.apply(changedFacts({ tenant: { ...rig.snapshot.tenant, revision: 3 } }))
    expect(rig.ask().binding).toBe(before)
  })

  test('of a role reaches everyone who holds it, its deletion too', () => {
    const rig = createSnapshotRig()
    expect(rig.permissions()).toBe('orders.read')
    rig.snapshot.apply(changedFacts({ roles: new Map([[readerRoleId, roleFact({ permissions: ['stock.read'] })]]) }))
    expect(rig.permissions()).toBe('stock.read')
    rig.snapshot.apply(changedFacts({ roles: new Map([[readerRoleId, undefined]]) }))
    expect(rig.permissions()).toBe('')
  })

  test('of the catalogue is seen by the next question, without anybody announcing it', () => {
    const rig = createSnapshotRig({ memberships: [membershipFact({ roles: ['roles/viewer'] })] })
    expect(rig.permissions()).toBe('orders.read stock.read workspaces.get')
    rig.catalogue.remove('stock.read')
    expect(rig.permissions()).toBe('orders.read workspaces.get')
    rig.catalogue.add({ name: 'invoices.read', effect: 'READ', service: 'shop', platformOnly: false })
    expect(rig.permissions()).toBe('invoices.read orders.read workspaces.get')
  })

  test('of the catalogue holds for what is asked first, a binding, its sources or a key', () => {
    const key = apiKeyFact({ permissions: ['invoices.read'] })
    const rig = createSnapshotRig({ memberships: [membershipFact({ roles: ['roles/viewer'] })], apiKeys: [key] })
    const asked = { subject: { kind: 'api_key', apiKeyId: key.apiKeyId }, permission: 'invoices.read' } as const
    expect(rig.reason(asked)).toBe('PERMISSION_UNKNOWN')
    rig.catalogue.add({ name: 'invoices.read', effect: 'READ', service: 'shop', platformOnly: false })
    expect(rig.reason(asked)).toBe('GRANTED')
    rig.catalogue.remove('invoices.read')
    const { roles } = rig.snapshot.sourcesOf(userFact(), workspaceFact())
    expect(
      roles
        .bitsOf('roles/viewer')
        ?.indexes()
        .map((bit) => rig.catalogue.nameAt(bit)),
    ).not.toContain('invoices.read')
  })

  test('that deletes rows leaves nothing of them to be found', () => {
    const rig = createSnapshotRig()
    rig.snapshot.apply(
      changedFacts({
        workspaces: new Map([[prodId, undefined]]),
        principals: new Map([[aliceId, undefined]]),
        apiKeys: new Map([[uid(51), undefined]]),
      }),
    )
    expect(rig.snapshot.workspaceBySlug('prod')).toBeUndefined()
    expect(rig.snapshot.workspaceById(prodId)).toBeUndefined()
    expect(rig.snapshot.principalById(aliceId)).toBeUndefined()
    expect(rig.snapshot.principalBySlug('user', 'alice')).toBeUndefined()
    expect(rig.snapshot.principalByIdentity('https://id.example', 'alice')).toBeUndefined()
    expect(rig.snapshot.apiKeyById(uid(51))).toBeUndefined()
  })

  test('that gives an identity to a new principal holds in whatever order its rows come', () => {
    const heir = userFact({ principalId: uid(23), slug: 'heir' })
    const rows: [string, ReturnType<typeof userFact> | undefined][] = [
      [heir.principalId, heir],
      [aliceId, undefined],
    ]
    for (const order of [rows, rows.toReversed()]) {
      const rig = createSnapshotRig()
      rig.snapshot.apply(changedFacts({ principals: new Map(order) }))
      expect(rig.snapshot.principalByIdentity(heir.issuer, heir.subject)).toBe(heir)
    }
  })

  test('claims no more of the head than is known to be in', () => {
    const rig = createSnapshotRig()
    rig.snapshot.apply(changedFacts({ tenant: tenantFact({ revision: 9 }) }), 5)
    expect(rig.snapshot.revision).toBe(5)
    const token = rig.snapshot.revisionToken()
    rig.directoryRevision = 8
    expect(rig.snapshot.revisionToken()).not.toBe(token)
  })

  test('is in the token of the very next answer, whether rows were read or everything', () => {
    const rig = createSnapshotRig()
    const revisions = [rig.ask().revision]
    rig.snapshot.apply(changedFacts({ tenant: tenantFact({ revision: 2 }) }))
    revisions.push(rig.ask().revision)
    rig.snapshot.replace(acmeFacts({ tenant: tenantFact({ revision: 3 }) }))
    revisions.push(rig.ask().revision)
    expect(revisions.map((token) => decodeRevision(token)?.tenantRevision)).toEqual([1, 2, 3])
  })

  test('as a whole new reading forgets what was, compiled or not', () => {
    const rig = createSnapshotRig()
    expect(rig.reason()).toBe('GRANTED')
    rig.snapshot.replace(acmeFacts({ tenant: tenantFact({ revision: 4 }), memberships: [] }))
    expect(rig.reason()).toBe('NO_ACCESS')
    expect(rig.snapshot.revision).toBe(4)
  })
})

test('compiled bindings are bounded, and questions about nothing leave none behind', () => {
  const workspaces = Array.from({ length: 50 }, (_, at) =>
    workspaceFact({ workspaceId: uid(100 + at), slug: `w-${at}` }),
  )
  const rig = createSnapshotRig({ workspaces, memberships: [reach] })
  for (const { slug } of workspaces) {
    expect(rig.permissions({ workspace: slug })).toBe('orders.write')
    expect(rig.budget.used).toBeLessThanOrEqual(10)
  }
  const before = rig.budget.used
  for (const { slug } of workspaces) rig.ask({ workspace: slug, subject: robot })
  expect(rig.budget.used).toBe(before)
  rig.snapshot.apply(changedFacts({ memberships: new Map([[second, undefined]]) }))
  expect(rig.budget.used).toBe(0)
})
