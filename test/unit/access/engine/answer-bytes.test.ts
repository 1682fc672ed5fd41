import { fromBinary } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { answerBytes, answerMessage } from '../../../../src/access/engine/answer-bytes.ts'
import { noAccess } from '../../../../src/access/engine/decision.ts'
import { type ApiKeyId, platformTenantId, tenantLevel } from '../../../../src/base/ids.ts'
import { decodeRevision } from '../../../../src/base/revision.ts'
import {
  AuthorizeResponseSchema,
  ContextView,
  Decision,
  DecisionReason,
} from '../../../../src/gen/tenure/v1/access_service_pb.ts'
import {
  acmeId,
  aliceId,
  apiKeyFact,
  changedFacts,
  membershipFact,
  prodId,
  readerRoleId,
  robotId,
  tenantFact,
  uid,
  userFact,
  writerRoleId,
} from './fact-builders.ts'
import { createSnapshotRig } from './snapshot-rig.ts'

const { BASIC, FULL, NONE, UNSPECIFIED } = ContextView
const both = [membershipFact({ roles: [writerRoleId, readerRoleId] })]
const read = (bytes: Uint8Array) => fromBinary(AuthorizeResponseSchema, bytes)

describe('an answer', () => {
  const rig = createSnapshotRig({ memberships: both })
  const questions = {
    granted: {},
    missing: { permission: 'stock.read' },
    unknown: { permission: 'ghosts.read' },
    stranger: { workspace: 'staging' },
    keyless: { subject: { kind: 'api_key', apiKeyId: uid<ApiKeyId>(59) } },
  } as const

  test.each(Object.keys(questions) as (keyof typeof questions)[])('is the same as bytes and as message: %s', (name) => {
    for (const view of [UNSPECIFIED, NONE, BASIC, FULL, NONE, BASIC]) {
      const decision = rig.ask(questions[name])
      expect(read(answerBytes(decision, view))).toEqual(answerMessage(decision, view))
    }
  })

  test('says where the call acts, by name and by uid', () => {
    const { context, ...rest } = answerMessage(rig.ask(), FULL)
    expect(rest).toMatchObject({ decision: Decision.ALLOW, reason: DecisionReason.GRANTED })
    expect(context).toMatchObject({
      tenant: 'tenants/acme',
      tenantUid: acmeId,
      workspace: 'tenants/acme/workspaces/prod',
      workspaceUid: prodId,
      workspaceSlug: 'prod',
      principal: 'tenants/acme/users/alice',
      permissions: ['orders.read', 'orders.write'],
      region: 'eu-1',
      tier: 'standard',
      revision: rest.revision,
    })
    expect(decodeRevision(rest.revision)).toEqual({
      directoryRevision: 7,
      tenantId: acmeId,
      timelineId: uid(900),
      placementEpoch: 1,
      tenantRevision: 1,
    })
  })

  test('at tenant level names no workspace, and a service account by its own collection', () => {
    const memberships = [membershipFact({ principalId: robotId, workspaceId: tenantLevel })]
    const robot = createSnapshotRig({ memberships }).ask({
      subject: { kind: 'service_account', slug: 'robot' },
      workspace: '',
    })
    expect(answerMessage(robot, BASIC).context).toMatchObject({
      workspace: '',
      workspaceUid: '',
      workspaceSlug: '',
      principal: 'tenants/acme/serviceAccounts/robot',
      permissions: [],
    })
  })

  test('of the platform names its principal without a tenant', () => {
    const tenant = tenantFact({ tenantId: platformTenantId, slug: 'platform' })
    const memberships = [membershipFact({ principalId: robotId, workspaceId: tenantLevel })]
    const decision = createSnapshotRig({ tenant, memberships }).ask({
      subject: { kind: 'service_account', slug: 'robot' },
      workspace: '',
    })
    expect(answerMessage(decision, BASIC).context).toMatchObject({ tenant: '', principal: 'serviceAccounts/robot' })
  })
})

describe('encoded once', () => {
  test('is the granted basic answer, whatever permission was asked for', () => {
    const rig = createSnapshotRig({ memberships: both })
    const bytes = answerBytes(rig.ask(), BASIC)
    expect(answerBytes(rig.ask({ permission: 'orders.write' }), UNSPECIFIED)).toBe(bytes)
  })

  test('is NO_ACCESS, for every place and view', () => {
    expect(answerBytes(createSnapshotRig().ask({ workspace: 'staging' }), FULL)).toBe(answerBytes(noAccess, BASIC))
  })

  test('is never served for another view, refusal, key or place', () => {
    const rig = createSnapshotRig({
      memberships: [...both, membershipFact({ membershipId: uid(42), workspaceId: tenantLevel, reachAll: true })],
      apiKeys: [apiKeyFact({ permissions: ['orders.write'] })],
    })
    answerBytes(rig.ask(), BASIC)
    expect(read(answerBytes(rig.ask(), NONE)).context).toBeUndefined()
    expect(read(answerBytes(rig.ask(), FULL)).context?.permissions).toHaveLength(2)
    expect(read(answerBytes(rig.ask({ permission: 'stock.read' }), BASIC)).decision).toBe(Decision.DENY)
    expect(read(answerBytes(rig.ask({ workspace: 'staging' }), BASIC)).context?.workspaceSlug).toBe('staging')
    const narrowed = rig.ask({ subject: { kind: 'api_key', apiKeyId: uid<ApiKeyId>(51) }, permission: 'orders.write' })
    expect(read(answerBytes(narrowed, FULL)).context?.permissions).toEqual(['orders.write'])
  })

  test('is never served past a change of what is in it', () => {
    const rig = createSnapshotRig()
    const seen = () => {
      const { context, revision } = read(answerBytes(rig.ask(), BASIC))
      return [
        decodeRevision(revision)?.tenantRevision,
        decodeRevision(revision)?.directoryRevision,
        context?.region,
        context?.principal,
      ]
    }
    expect(seen()).toEqual([1, 7, 'eu-1', 'tenants/acme/users/alice'])
    rig.snapshot.apply(changedFacts())
    expect(seen()).toEqual([2, 7, 'eu-1', 'tenants/acme/users/alice'])
    rig.directoryRevision = 8
    expect(seen()).toEqual([2, 8, 'eu-1', 'tenants/acme/users/alice'])
    // The same revision claimed, a newer fact seen: the answer must not mix them up.
    rig.snapshot.apply(changedFacts({ tenant: tenantFact({ revision: 4, region: 'us-1' }) }), 2)
    expect(seen()).toEqual([2, 8, 'us-1', 'tenants/acme/users/alice'])
    const principals = new Map([[aliceId, userFact({ slug: 'alice-b' })]])
    rig.snapshot.apply(changedFacts({ tenant: rig.snapshot.tenant, principals }), 2)
    const renamed = rig.ask({ subject: { kind: 'principal', principalId: aliceId } })
    expect(read(answerBytes(renamed, BASIC)).context?.principal).toBe('tenants/acme/users/alice-b')
  })
})
