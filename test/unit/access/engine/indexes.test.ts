import { describe, expect, test } from 'vitest'
import { PermissionCatalogue } from '../../../../src/access/engine/catalogue.ts'
import { MembershipIndex } from '../../../../src/access/engine/membership-index.ts'
import { PrincipalIndex } from '../../../../src/access/engine/principal-index.ts'
import { RoleIndex } from '../../../../src/access/engine/role-index.ts'
import {
  aliceId,
  membershipFact,
  prodId,
  readerRoleId,
  robotFact,
  robotId,
  roleFact,
  stagingId,
  testPermissions,
  uid,
  userFact,
} from './fact-builders.ts'

describe('an index of memberships', () => {
  const first = membershipFact()
  const id = first.membershipId

  test('knows nobody who was not put into it', () => {
    expect(new MembershipIndex().ofPrincipal(aliceId)).toEqual([])
  })

  test('holds what a membership says now, whoever it was of before', () => {
    const index = new MembershipIndex()
    const second = membershipFact({ membershipId: uid(42) })
    index.put(first)
    index.put(second)
    const moved = membershipFact({ principalId: robotId })
    index.put(moved)
    expect([index.ofPrincipal(aliceId), index.ofPrincipal(robotId), index.byId(id)]).toEqual([[second], [moved], moved])
    index.delete(id)
    expect([index.ofPrincipal(robotId), index.byId(id)]).toEqual([[], undefined])
  })

  test('grants nothing by a membership that became unreadable, and closes its place until it is put or deleted', () => {
    const index = new MembershipIndex()
    index.put(first)
    for (const mend of [() => index.put(first), () => index.delete(id)]) {
      index.putUnreadable(id, prodId)
      expect([index.ofPrincipal(aliceId), index.byId(id)]).toEqual([[], undefined])
      expect([index.isClosed(prodId), index.isClosed(stagingId)]).toEqual([true, false])
      mend()
      expect(index.isClosed(prodId)).toBe(false)
    }
  })
})

describe('an index of principals', () => {
  test('forgets every name of one that is put again or deleted, with or without an identity', () => {
    for (const fact of [userFact(), robotFact()]) {
      const index = new PrincipalIndex()
      index.put(fact)
      const renamed = { ...fact, slug: 'renamed', ...(fact.issuer === '' ? {} : { subject: 'renamed' }) }
      index.put(renamed)
      expect([index.bySlug(fact.kind, fact.slug), index.byIdentity(fact.issuer, fact.subject)]).toEqual([
        undefined,
        undefined,
      ])
      expect(index.bySlug(fact.kind, 'renamed')).toBe(renamed)
      index.delete(fact.principalId)
      expect([index.byId(fact.principalId), index.bySlug(fact.kind, 'renamed')]).toEqual([undefined, undefined])
      expect(index.byIdentity(fact.issuer, 'renamed')).toBeUndefined()
    }
  })

  test('finds by identity a user with the whole of one, and nobody else', () => {
    const index = new PrincipalIndex()
    const whole = userFact()
    const facts = [
      userFact({ principalId: uid(61), slug: 'a', issuer: '', subject: '' }),
      userFact({ principalId: uid(62), slug: 'b', subject: '' }),
      userFact({ principalId: uid(63), slug: 'c', issuer: '' }),
      robotFact({ issuer: 'https://id.example', subject: 'robot' }),
    ]
    for (const fact of [...facts, whole]) index.put(fact)
    for (const { issuer, subject } of facts) expect(index.byIdentity(issuer, subject)).toBeUndefined()
    expect(index.byIdentity(whole.issuer, whole.subject)).toBe(whole)
    expect(facts.map(({ kind, slug }) => index.bySlug(kind, slug))).toEqual(facts)
  })

  test('finds one that is disabled where no other has its name', () => {
    const index = new PrincipalIndex()
    const gone = userFact({ active: false })
    index.put(gone)
    expect([index.bySlug('user', 'alice'), index.byIdentity(gone.issuer, gone.subject)]).toEqual([gone, gone])
  })
})

describe('an index of roles', () => {
  test('compiles each role once, until it is told to forget', () => {
    const index = new RoleIndex(new PermissionCatalogue(testPermissions), false)
    index.put(roleFact())
    const bits = index.bitsOf(readerRoleId)
    expect(bits?.isEmpty).toBe(false)
    expect(index.bitsOf(readerRoleId)).toBe(bits)
    index.put(roleFact({ permissions: [] }))
    index.forgetBits()
    expect(index.bitsOf(readerRoleId)?.isEmpty).toBe(true)
  })

  test('of the platform gives a role of its own what it lists, powers of the platform among it', () => {
    const catalogue = new PermissionCatalogue(testPermissions)
    const role = roleFact({ permissions: ['tenants.create', 'orders.read'] })
    const granted = [true, false].map((isPlatform) => {
      const index = new RoleIndex(catalogue, isPlatform)
      index.put(role)
      return index
        .bitsOf(role.roleId)
        ?.indexes()
        .map((bit) => catalogue.nameAt(bit))
    })
    expect(granted).toEqual([['orders.read', 'tenants.create'], ['orders.read']])
  })
})
