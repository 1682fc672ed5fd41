import { expect, test } from 'vitest'
import { chainEvent, chainHash, chainStart } from '../../../src/tenancy/audit-chain.ts'

const facts = {
  tenantId: '018f0000-0000-7000-8000-00000000000a',
  chain: 'authority',
  sequence: 1n,
  eventId: '018f0000-0000-7000-8000-0000000000ee',
  eventTimeMs: 1_767_225_600_000n,
  principal: 'serviceAccounts/root',
  credential: 'apiKeys/018f0000-0000-7000-8000-0000000000ff',
  event: 'tenants.create',
  target: 'tenants/acme',
  workspaceId: '00000000-0000-0000-0000-000000000000',
  denied: false,
  reason: '',
  requestId: 'request-1',
  clientIp: '127.0.0.1',
  detailsJson: '{}',
  revision: 1n,
}

test('the hash of an event is what it was at the first release', () => {
  const { hash } = chainEvent(chainStart, facts)
  expect(Buffer.from(hash).toString('hex')).toBe('df2f36f4b029de0e9a226d2a34246c13aa8cbde8ac5325695cc7097ccc05251d')
})

test('every field of an event, and what came before it, is in its hash', () => {
  const { record, hash } = chainEvent(chainStart, facts)
  const hashes = new Set([Buffer.from(hash).toString('hex')])
  for (const [field, value] of Object.entries(facts)) {
    const other = typeof value === 'bigint' ? value + 1n : typeof value === 'boolean' ? !value : `${value}x`
    hashes.add(Buffer.from(chainEvent(chainStart, { ...facts, [field]: other }).hash).toString('hex'))
  }
  hashes.add(Buffer.from(chainHash(hash, record)).toString('hex'))
  expect(hashes.size).toBe(Object.keys(facts).length + 2)
})
