import { describe, expect, test } from 'vitest'
import { answerMessage } from '../../../../src/access/engine/answer-bytes.ts'
import { decisionSteps, noAccess } from '../../../../src/access/engine/decision.ts'
import { type ApiKeyId, tenantLevel } from '../../../../src/base/ids.ts'
import { ContextView } from '../../../../src/gen/tenure/v1/access_service_pb.ts'
import {
  aliceId,
  apiKeyFact,
  changedFacts,
  membershipFact,
  prodId,
  readerRoleId,
  robotFact,
  stagingId,
  tenantFact,
  uid,
  userFact,
  workspaceFact,
  writerRoleId,
} from './fact-builders.ts'
import { createSnapshotRig } from './snapshot-rig.ts'

const keyId = uid<ApiKeyId>(51)
const byKey = { kind: 'api_key', apiKeyId: keyId } as const

describe('the order of a decision', () => {
  test('is this list', () => {
    expect(decisionSteps).toEqual([
      'credential',
      'binding',
      'tenantState',
      'placement',
      'workspaceState',
      'policy',
      'permission',
      'entitlement',
      'limits',
    ])
  })

  test('answers the first reason that holds: each cured in turn uncovers the next', () => {
    const rig = createSnapshotRig({
      tenant: tenantFact({ state: 'SUSPENDED', suspensionMode: 'FULL' }),
      workspaces: [workspaceFact({ state: 'ARCHIVED' })],
      memberships: [],
      apiKeys: [apiKeyFact({ expireTimeMs: 1_000, revoked: true })],
    })
    const ask = () => rig.reason({ subject: byKey, permission: 'orders.write' })
    const reasons = [ask()]
    rig.snapshot.apply(
      changedFacts({ tenant: rig.snapshot.tenant, apiKeys: new Map([[keyId, apiKeyFact({ revoked: true })]]) }),
    )
    reasons.push(ask())
    rig.snapshot.apply(changedFacts({ tenant: rig.snapshot.tenant, apiKeys: new Map([[keyId, apiKeyFact()]]) }))
    reasons.push(ask())
    const membership = membershipFact()
    const memberships = new Map([[membership.membershipId, membership]])
    rig.snapshot.apply(changedFacts({ tenant: rig.snapshot.tenant, memberships }))
    reasons.push(ask())
    rig.snapshot.apply(changedFacts({ tenant: tenantFact({ state: 'SUSPENDED', suspensionMode: 'READ_ONLY' }) }))
    reasons.push(ask())
    rig.snapshot.apply(changedFacts())
    reasons.push(ask())
    rig.snapshot.apply(changedFacts({ workspaces: new Map([[prodId, workspaceFact()]]) }))
    reasons.push(ask())
    rig.snapshot.apply(
      changedFacts({ memberships: new Map([[membership.membershipId, { ...membership, roles: [writerRoleId] }]]) }),
    )
    reasons.push(ask())
    expect(reasons).toEqual([
      'CREDENTIAL_EXPIRED',
      'CREDENTIAL_REVOKED',
      'NO_ACCESS',
      'TENANT_SUSPENDED',
      'TENANT_READ_ONLY',
      'WORKSPACE_ARCHIVED',
      'PERMISSION_MISSING',
      'GRANTED',
    ])
  })
})

test('a decision allows when it says GRANTED, and never otherwise', () => {
  const rig = createSnapshotRig({ workspaces: [workspaceFact({ state: 'ARCHIVED' })] })
  const decisions = [
    createSnapshotRig().ask(),
    createSnapshotRig().ask({ permission: 'orders.write' }),
    createSnapshotRig().ask({ workspace: 'nowhere' }),
    createSnapshotRig().ask({ subject: { kind: 'api_key', apiKeyId: uid(59) } }),
    rig.ask(),
  ]
  expect(decisions.map(({ allow, reason }) => [reason, allow])).toEqual([
    ['GRANTED', true],
    ['PERMISSION_MISSING', false],
    ['NO_ACCESS', false],
    ['UNAUTHENTICATED', false],
    ['WORKSPACE_ARCHIVED', false],
  ])
})

describe('NO_ACCESS', () => {
  const missing = createSnapshotRig()
  const disabled = createSnapshotRig({ principals: [userFact({ active: false })] })
  const deletedWorkspace = createSnapshotRig({ workspaces: [workspaceFact({ state: 'DELETED' })] })
  const deletedTenant = createSnapshotRig({ tenant: tenantFact({ state: 'DELETED' }) })
  const newTenant = createSnapshotRig({ tenant: tenantFact({ state: 'PROVISIONING' }) })
  const suspended = createSnapshotRig({ tenant: tenantFact({ state: 'SUSPENDED', suspensionMode: 'FULL' }) })
  const archived = createSnapshotRig({ workspaces: [workspaceFact({ state: 'ARCHIVED' })], memberships: [] })

  test.each([
    ['an unknown principal', () => missing.ask({ subject: { kind: 'user', slug: 'mallory' } })],
    ['a service account asked for as a user', () => missing.ask({ subject: { kind: 'user', slug: 'robot' } })],
    [
      'an identity that only resembles one',
      () => missing.ask({ subject: { kind: 'identity', issuer: 'https://id.example', subject: 'alice ' } }),
    ],
    ['the empty identity', () => missing.ask({ subject: { kind: 'identity', issuer: '', subject: '' } })],
    ['a disabled principal', () => disabled.ask()],
    ['an unknown workspace', () => missing.ask({ workspace: 'nowhere' })],
    ['a workspace without a binding', () => missing.ask({ workspace: 'staging' })],
    ['the tenant level with a workspace binding alone', () => missing.ask({ workspace: '' })],
    ['a deleted workspace', () => deletedWorkspace.ask()],
    ['a deleted tenant', () => deletedTenant.ask()],
    ['a tenant not yet there', () => newTenant.ask()],
    ['a stranger in a suspended tenant', () => suspended.ask({ subject: { kind: 'service_account', slug: 'robot' } })],
    ['a stranger in an archived workspace', () => archived.ask()],
    ['a stranger who asks for what does not exist', () => missing.ask({ workspace: 'staging', permission: 'no.such' })],
  ])('is one and the same object, without context or revision, for %s', (_case, ask) => {
    expect(ask()).toBe(noAccess)
    const message = answerMessage(ask(), ContextView.FULL)
    expect(message.context).toBeUndefined()
    expect(message.revision).toBe('')
  })
})

describe('a principal', () => {
  test.each([
    [{ kind: 'user', slug: 'alice' }],
    [{ kind: 'principal', principalId: aliceId }],
    [{ kind: 'identity', issuer: 'https://id.example', subject: 'alice' }],
  ] as const)('is found as %o', (subject) => {
    expect(createSnapshotRig().reason({ subject })).toBe('GRANTED')
  })

  test('is never found by an issuer and subject that only meet when written together', () => {
    const rig = createSnapshotRig({ principals: [userFact({ issuer: 'a', subject: 'bc' })] })
    expect(rig.reason({ subject: { kind: 'identity', issuer: 'ab', subject: 'c' } })).toBe('NO_ACCESS')
  })

  test('that is disabled never hides an active one of the same identity, whichever row comes first', () => {
    const gone = userFact({ principalId: uid(29), slug: 'alice-before', active: false })
    const subject = { kind: 'identity', issuer: gone.issuer, subject: gone.subject } as const
    for (const principals of [
      [gone, userFact()],
      [userFact(), gone],
    ]) {
      expect(createSnapshotRig({ principals }).reason({ subject })).toBe('GRANTED')
    }
  })
})

describe('a permission', () => {
  test('that is empty asks for the binding alone', () => {
    const rig = createSnapshotRig({ memberships: [membershipFact({ roles: [] })] })
    expect(rig.reason({ permission: '' })).toBe('GRANTED')
    expect(rig.reason({ permission: 'orders.read' })).toBe('PERMISSION_MISSING')
  })

  test('that is not in the catalogue is unknown to members, even when a role lists it', () => {
    const rig = createSnapshotRig()
    rig.catalogue.remove('orders.read')
    expect(rig.reason()).toBe('PERMISSION_UNKNOWN')
  })

  test.each(['constructor', '__proto__', 'toString'])('named %s is unknown', (permission) => {
    expect(createSnapshotRig().reason({ permission })).toBe('PERMISSION_UNKNOWN')
  })
})

describe('a suspended tenant', () => {
  test('that is read-only refuses what writes and lets through what reads', () => {
    const memberships = [membershipFact({ roles: [readerRoleId, writerRoleId] })]
    const rig = createSnapshotRig({
      tenant: tenantFact({ state: 'SUSPENDED', suspensionMode: 'READ_ONLY' }),
      memberships,
    })
    expect(rig.reason()).toBe('GRANTED')
    expect(rig.reason({ permission: '' })).toBe('GRANTED')
    expect(rig.reason({ permission: 'orders.write' })).toBe('TENANT_READ_ONLY')
  })

  test.each(['FULL', 'NONE', 'SOMETHING_NEW'])('in mode %s lets nothing through', (mode) => {
    const tenant = tenantFact({ state: 'SUSPENDED', suspensionMode: mode as never })
    expect(createSnapshotRig({ tenant }).reason()).toBe('TENANT_SUSPENDED')
  })
})

describe('an API key', () => {
  const both = membershipFact({ workspaceId: tenantLevel, roles: [readerRoleId, writerRoleId], reachAll: true })
  const keyed = (key: Parameters<typeof apiKeyFact>[0] = {}) =>
    createSnapshotRig({ memberships: [both], apiKeys: [apiKeyFact(key)] })

  test('without narrowing has its owner`s power at each place', () => {
    expect(keyed().permissions({ subject: byKey })).toBe('orders.read orders.write')
    expect(keyed().permissions({ subject: byKey, workspace: '' })).toBe('orders.read orders.write')
  })

  test('with narrowing has what both it and its owner have', () => {
    const rig = keyed({ permissions: ['orders.write', 'stock.read'] })
    expect(rig.permissions({ subject: byKey })).toBe('orders.write')
    expect(rig.reason({ subject: byKey, permission: 'orders.read' })).toBe('PERMISSION_MISSING')
    expect(rig.reason({ subject: byKey, permission: 'stock.read' })).toBe('PERMISSION_MISSING')
  })

  test('narrowed to nothing that exists has no power, rather than all of it', () => {
    expect(keyed({ permissions: ['ghosts.read'] }).permissions({ subject: byKey })).toBe('')
  })

  test('of a workspace is a stranger in every other one and in the tenant', () => {
    const rig = keyed({ workspaceId: prodId })
    expect(rig.reason({ subject: byKey })).toBe('GRANTED')
    expect(rig.ask({ subject: byKey, workspace: 'staging' })).toBe(noAccess)
    expect(rig.ask({ subject: byKey, workspace: '' })).toBe(noAccess)
  })

  test('dies with its owner', () => {
    const rig = createSnapshotRig({ principals: [userFact({ active: false })] })
    expect(rig.ask({ subject: byKey })).toBe(noAccess)
    expect(createSnapshotRig({ principals: [robotFact()] }).ask({ subject: byKey })).toBe(noAccess)
  })

  test('ends at its very millisecond', () => {
    const rig = keyed({ expireTimeMs: 5_000 })
    expect(rig.reason({ subject: byKey }, 4_999)).toBe('GRANTED')
    expect(rig.reason({ subject: byKey }, 5_000)).toBe('CREDENTIAL_EXPIRED')
  })

  test('that ended, was revoked or never was tells nothing of the place', () => {
    for (const key of [{ expireTimeMs: 1 }, { revoked: true }]) {
      const decision = keyed(key).ask({ subject: byKey })
      expect(answerMessage(decision, ContextView.FULL).context).toBeUndefined()
    }
    const unknown = keyed().ask({ subject: { kind: 'api_key', apiKeyId: uid(59) } })
    expect(unknown).toMatchObject({ reason: 'UNAUTHENTICATED', revision: '', binding: undefined })
  })

  test('follows its row: narrowed anew, its old power is gone', () => {
    const rig = keyed({ permissions: ['orders.write'] })
    expect(rig.reason({ subject: byKey, permission: 'orders.write' })).toBe('GRANTED')
    const apiKeys = new Map([[keyId, apiKeyFact({ permissions: ['orders.read'] })]])
    rig.snapshot.apply(changedFacts({ apiKeys }))
    expect(rig.permissions({ subject: byKey })).toBe('orders.read')
  })

  test('of another workspace id than any there works nowhere', () => {
    const rig = keyed({ workspaceId: stagingId })
    expect(rig.ask({ subject: byKey, workspace: 'nowhere' })).toBe(noAccess)
  })
})

test('nothing is decided by a snapshot that is no longer kept current', () => {
  const rig = createSnapshotRig()
  rig.snapshot.retire()
  expect(() => rig.ask()).toThrow(
    expect.objectContaining({
      ...{ reason: 'STALE', retryAfterMs: 50 },
      message: 'What is known of this tenant is being read again. Ask again.',
    }),
  )
})
