import { describe, expect, test } from 'vitest'
import { type MembershipId, type RoleId, tenantLevel } from '../../../../src/base/ids.ts'
import {
  acmeFacts,
  acmeId,
  changedFacts,
  membershipFact,
  prodId,
  readerRoleId,
  robotFact,
  robotId,
  roleFact,
  uid,
  userFact,
  workspaceFact,
  writerRoleId,
} from './fact-builders.ts'
import { createSnapshotRig } from './snapshot-rig.ts'

const second = uid<MembershipId>(42)
const reach = membershipFact({
  membershipId: second,
  workspaceId: tenantLevel,
  roles: [writerRoleId],
  reachAll: true,
})

describe('a row that cannot be read', () => {
  const broken = { ...membershipFact({ membershipId: second, principalId: robotId }), roles: 'roles/owner' as never }

  test('closes its own workspace to everyone, leaves the others open, and raises an alarm', () => {
    const rig = createSnapshotRig({ memberships: [membershipFact(), reach, { ...broken, membershipId: uid(43) }] })
    expect(rig.reason()).toBe('NO_ACCESS')
    expect(rig.reason({ workspace: 'staging', permission: 'orders.write' })).toBe('GRANTED')
    expect(rig.alarms).toEqual([
      { kind: 'UNREADABLE_ROW', tenantId: acmeId, table: 'memberships', id: uid(43), workspaceId: prodId },
    ])
  })

  test('closes it while it stands, and no longer', () => {
    const rig = createSnapshotRig()
    expect(rig.reason()).toBe('GRANTED')
    rig.snapshot.apply(changedFacts({ memberships: new Map([[second, broken]]) }))
    expect(rig.reason()).toBe('NO_ACCESS')
    expect(rig.alarms).toMatchObject([{ table: 'memberships', id: second, workspaceId: prodId }])
    rig.snapshot.apply(changedFacts({ memberships: new Map([[second, undefined]]) }))
    expect(rig.reason()).toBe('GRANTED')
  })

  test('grants nothing of what it granted before', () => {
    const rig = createSnapshotRig({ memberships: [membershipFact(), reach] })
    expect(rig.permissions({ workspace: 'staging' })).toBe('orders.write')
    const lost = { ...reach, expireTimeMs: Number.NaN, workspaceId: 7 as never }
    rig.snapshot.apply(changedFacts({ memberships: new Map([[second, lost]]) }))
    expect(rig.reason({ workspace: 'staging' })).toBe('NO_ACCESS')
    expect(rig.reason({ workspace: '' })).toBe('NO_ACCESS')
    expect(rig.permissions()).toBe('orders.read')
  })

  test.each([
    { expireTimeMs: Number.NaN },
    { expireTimeMs: '9999' as never },
    { reachAll: 1 as never },
    { roles: [7] as never },
    { principalId: '' as never },
  ])('is one with %o', (fields) => {
    const rig = createSnapshotRig({ memberships: [membershipFact(fields)] })
    expect(rig.reason()).toBe('NO_ACCESS')
    expect(rig.alarms).toHaveLength(1)
  })

  test('as a role grants nothing, and what else is held stays', () => {
    const rig = createSnapshotRig({
      roles: [
        roleFact({ permissions: 'orders.read' as never }),
        roleFact({ roleId: uid<RoleId>(33), permissions: ['stock.read'] }),
      ],
      memberships: [membershipFact({ roles: [readerRoleId, uid(33)] })],
    })
    expect(rig.permissions()).toBe('stock.read')
    expect(rig.alarms).toMatchObject([{ table: 'roles', id: readerRoleId }])
  })

  test('as a workspace, principal or key is as if it were not there', () => {
    const rig = createSnapshotRig({
      workspaces: [workspaceFact({ state: 'OPEN' as never })],
      principals: [userFact(), robotFact({ active: 'yes' as never })],
      apiKeys: [{ ...(acmeFacts().apiKeys[0] as never as object), revoked: 0 } as never],
    })
    expect(rig.reason()).toBe('NO_ACCESS')
    expect(rig.snapshot.principalById(robotId)).toBeUndefined()
    expect(rig.reason({ subject: { kind: 'api_key', apiKeyId: uid(51) } })).toBe('UNAUTHENTICATED')
    expect(rig.alarms.map(({ table }) => table)).toEqual(['workspaces', 'principals', 'api_keys'])
  })
})
