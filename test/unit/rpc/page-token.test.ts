import { randomFillSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { TenureError } from '../../../src/base/errors.ts'
import { createPageTokens } from '../../../src/rpc/page-token.ts'
import type { PageBinding } from '../../../src/tenancy/listing.ts'

const key = new Uint8Array(32).fill(7)
const tokens = createPageTokens({ key, random: (bytes) => void randomFillSync(bytes) })
const binding: PageBinding = {
  tenantId: 't',
  principal: 'tenants/acme/users/alice',
  credential: 'tenants/acme/apiKeys/k',
  method: 'tenure.v1.WorkspaceService/ListWorkspaces',
  query: ['tenants/acme', 'state = ACTIVE', ''],
}
const position = ['2026-01-01', 'Grüße 🎈', '']

function reasonOf(open: () => unknown): string {
  try {
    open()
  } catch (error) {
    return error instanceof TenureError ? error.reason : String(error)
  }
  return 'opened'
}

test('a page token opens for the same caller and query', () => {
  expect(tokens.open(binding, tokens.seal(binding, position))).toEqual(position)
})

test('two tokens of one position differ', () => {
  expect(tokens.seal(binding, position)).not.toBe(tokens.seal(binding, position))
})

describe('a page token does not open for', () => {
  test.each<[string, Partial<PageBinding>]>([
    ['another tenant', { tenantId: 'u' }],
    ['another principal', { principal: 'tenants/acme/users/bob' }],
    ['another credential', { credential: 'tenants/acme/apiKeys/l' }],
    ['another method', { method: 'tenure.v1.UserService/ListUsers' }],
    ['another filter', { query: ['tenants/acme', 'state = DELETED', ''] }],
    ['the same words split otherwise', { query: ['tenants/acme', 'state = ACTIV', 'E'] }],
    [
      'another principal and credential that join to the same text',
      { principal: 'tenants/acme/users/alicet', credential: 'enants/acme/apiKeys/k' },
    ],
  ])('%s', (_name, change) => {
    expect(reasonOf(() => tokens.open({ ...binding, ...change }, tokens.seal(binding, position)))).toBe(
      'INVALID_PAGE_TOKEN',
    )
  })

  test('another key', () => {
    const others = createPageTokens({ key: new Uint8Array(32).fill(8), random: (bytes) => void randomFillSync(bytes) })
    expect(reasonOf(() => others.open(binding, tokens.seal(binding, position)))).toBe('INVALID_PAGE_TOKEN')
  })
})

test('a page token with any bit changed, cut, lengthened or spelled otherwise does not open', () => {
  const token = tokens.seal(binding, position)
  const bytes = Buffer.from(token, 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    expect(reasonOf(() => tokens.open(binding, changed.toString('base64url')))).toBe('INVALID_PAGE_TOKEN')
  }
  const others = [
    '',
    'x',
    'AQ',
    token.slice(0, -1),
    `${token}A`,
    `${token}=`,
    `${token}\n`,
    ` ${token}`,
    'A'.repeat(5_000),
    '\ud800',
  ]
  for (const other of others)
    expect(
      reasonOf(() => tokens.open(binding, other)),
      other,
    ).toBe('INVALID_PAGE_TOKEN')
})

test('a key of another length is refused at the start', () => {
  expect(() => createPageTokens({ key: new Uint8Array(16), random: () => {} })).toThrow(/32 bytes/)
})
