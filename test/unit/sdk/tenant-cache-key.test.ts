import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tenantCacheKey } from '../../../src/sdk/tenant-cache-key.ts'
import { contextOfTenant, levelOfTenant, tenantUid, workspaceUid } from './guard/contexts.ts'

const acme = contextOfTenant(1)

test('a key names tenant and workspace by uid, and each part by its length', () => {
  const place = `tenant:${tenantUid(1)}:workspace:${workspaceUid(1)}:`
  expect(tenantCacheKey(acme, 'orders', 'o1')).toBe(`${place}6:orders,2:o1,`)
  expect(tenantCacheKey(acme)).toBe(place)
  expect(tenantCacheKey(levelOfTenant(1), 'plan')).toBe(`tenant:${tenantUid(1)}:level:4:plan,`)
})

test('no two lists of parts make one key, and no two places share one', () => {
  const contexts = [acme, contextOfTenant(1, 'staging'), contextOfTenant(2), levelOfTenant(1), levelOfTenant(2)]
  // Parts that look like the joints of a key are the ones to fear.
  const part = fc.oneof(
    fc.constantFrom('', ':', ',', '1:', '1:a,', '0:,', 'workspace', 'level'),
    fc.string({ unit: 'grapheme' }),
  )
  const call = fc.tuple(fc.constantFrom(...contexts), fc.array(part, { maxLength: 4 }))
  fc.assert(
    fc.property(call, call, ([a, listA], [b, listB]) => {
      const same = a === b && JSON.stringify(listA) === JSON.stringify(listB)
      const bytes = (key: string) => Buffer.from(key, 'utf8').toString('hex')
      expect(bytes(tenantCacheKey(a, ...listA)) === bytes(tenantCacheKey(b, ...listB))).toBe(same)
    }),
    { numRuns: 20_000 },
  )
})

test('what is no text, or half a character, is no part: written as bytes it would be another', () => {
  expect(() => tenantCacheKey(acme, '\ud800')).toThrow('half a character')
  expect(() => tenantCacheKey(acme, 1 as unknown as string)).toThrow('texts')
  expect(() => tenantCacheKey({ ...acme, workspaceUid: '' }, 'x')).toThrow('verified token')
  expect(() => tenantCacheKey({ ...acme, tenantUid: 'acme' }, 'x')).toThrow('verified token')
})
