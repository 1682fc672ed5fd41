import { expect, test } from 'vitest'
import { RoleTable } from '../../../src/access/role-table.ts'
import { ApiKeyTable } from '../../../src/credentials/api-key-table.ts'
import { MembershipTable } from '../../../src/people/membership-table.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import type { Table } from '../../../src/tenancy/pins.ts'
import { createRowCodes } from '../../../src/tenancy/row-codes.ts'
import { codesOfUnit, tableCodes } from '../../../src/tenancy/unit-codes.ts'

const memberships = MembershipTable as unknown as Table
const roles = RoleTable as unknown as Table
const keys = ApiKeyTable as unknown as Table

const membership = {
  tenantId: '018f0000-0000-7000-8000-00000000000a',
  workspaceId: '00000000-0000-0000-0000-000000000000',
  membershipId: '018f0000-0000-7000-8000-00000000000b',
  slug: 'alice',
  principalKind: 'user',
  principalId: '018f0000-0000-7000-8000-00000000000c',
  roles: ['roles/viewer', 'roles/admin'],
  reachAll: true,
  expireTime: new Date('2026-01-31T12:34:56.789Z'),
  version: 1,
  createTime: new Date(0),
  updateTime: new Date(0),
}

const codes = createRowCodes(() => undefined)
codes.open('grants', Buffer.alloc(32, 1))
const codeOf = (row: object, table = memberships) => Buffer.from(codes.codeOf(table, row) ?? []).toString('hex')

test('a code stays what it is: codes that are stored are compared with it', () => {
  expect(codeOf(membership)).toBe('3d988b09e91b094e2c5d92e01546e6eac60d75e1b9dd78e580d10f21caef8014')
})

const changes: [string, object][] = [
  ['tenant', { tenantId: '018f0000-0000-7000-8000-00000000000f' }],
  ['workspace', { workspaceId: '018f0000-0000-7000-8000-00000000000f' }],
  ['row', { membershipId: '018f0000-0000-7000-8000-00000000000f' }],
  ['name', { slug: 'bob' }],
  ['kind of principal', { principalKind: 'service_account' }],
  ['principal', { principalId: '018f0000-0000-7000-8000-00000000000f' }],
  ['roles', { roles: ['roles/viewer', 'roles/admin', 'roles/owner'] }],
  ['order of roles', { roles: ['roles/admin', 'roles/viewer'] }],
  ['one role of two', { roles: ['roles/viewerroles/admin'] }],
  ['a list as its text', { roles: '["roles/viewer","roles/admin"]' }],
  ['reach', { reachAll: false }],
  ['reach as a number', { reachAll: 1 }],
  ['end', { expireTime: new Date('2026-01-31T12:34:56.790Z') }],
  ['no end', { expireTime: null }],
  ['no time', { expireTime: new Date(Number.NaN) }],
  ['what moves over from one to the next', { slug: 'alic', principalKind: 'euser' }],
  ['no name', { slug: null }],
  ['an empty name', { slug: '' }],
]

test.each(changes)('another %s is another code', (_what, changed) => {
  const others = changes
    .filter(([, other]) => other !== changed)
    .map(([, other]) => codeOf({ ...membership, ...other }))
  const code = codeOf({ ...membership, ...changed })
  expect(code).not.toBe(codeOf(membership))
  expect(others).not.toContain(code)
})

test('what no decision rests on is not covered', () => {
  expect(codeOf({ ...membership, version: 7, updateTime: new Date(), rowCode: Buffer.alloc(32) })).toBe(
    codeOf(membership),
  )
  expect(codes.covers(memberships, ['version', 'updateTime', 'rowCode'])).toBe(false)
  expect(codes.covers(keys, ['lastUsedTime', 'displayName'])).toBe(false)
  expect(codes.covers(memberships, ['version', 'roles'])).toBe(true)
})

test('bytes of either engine are one; the same row of another table, or under another key, is another', () => {
  const key = { ...membership, ownerKind: 'user', ownerId: 'a', permissions: [], state: 'ACTIVE', apiKeyId: 'k' }
  const bytes = Buffer.from('0102ff', 'hex')
  expect(codeOf({ ...key, secretHash: bytes }, keys)).toBe(codeOf({ ...key, secretHash: new Uint8Array(bytes) }, keys))
  expect(codeOf(membership, roles)).not.toBe(codeOf(membership))
  const other = createRowCodes(() => undefined)
  other.open('grants', Buffer.alloc(32, 2))
  expect(other.isGenuine(memberships, { ...membership, rowCode: codes.codeOf(memberships, membership) })).toBe(false)
})

test('a row is genuine with its own code alone', () => {
  const rowCode = codes.codeOf(memberships, membership) ?? Buffer.of()
  const is = (code: unknown) => codes.isGenuine(memberships, { ...membership, rowCode: code })
  expect(is(rowCode)).toBe(true)
  expect(is(new Uint8Array(rowCode))).toBe(true)
  const bad = [
    null,
    undefined,
    '',
    Buffer.of(),
    Buffer.alloc(32),
    rowCode.subarray(0, 31),
    Buffer.from(rowCode).toString(),
  ]
  for (const code of bad) expect(is(code)).toBe(false)
})

test('before its key is opened nothing that grants power is written or believed, and other tables do not care', () => {
  const closed = createRowCodes(() => undefined)
  expect(() => closed.codeOf(memberships, membership)).toThrow(/before the key/)
  expect(() => closed.isGenuine(memberships, membership)).toThrow(/before the key/)
  const secrets = SecretTable as unknown as Table
  expect(closed.codeOf(secrets, {})).toBeUndefined()
  expect(closed.isGenuine(secrets, {})).toBe(true)
})

test('a change asks for the row only where its unit has not read it, and not at all where nothing covered changes', async () => {
  const unit = codesOfUnit(codes)
  const ofTable = () => tableCodes(memberships, 'membershipId', unit)
  const id = membership.membershipId
  let asked = 0
  const find = async () => {
    asked += 1
    return { ...membership, rowCode: codes.codeOf(memberships, membership) }
  }
  expect(await ofTable().changesWithCode(id, { version: 2 }, find)).toEqual({ version: 2 })
  expect(asked).toBe(0)
  const narrowed = await ofTable().changesWithCode(id, { roles: [] }, find)
  expect(narrowed.rowCode).toEqual(codes.codeOf(memberships, { ...membership, roles: [] }))
  // What it has changed itself it knows.
  const both = await ofTable().changesWithCode(id, { reachAll: false }, find)
  expect(both.rowCode).toEqual(codes.codeOf(memberships, { ...membership, roles: [], reachAll: false }))
  expect(asked).toBe(1)
})
