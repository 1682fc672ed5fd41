import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nilUuid } from '../../../src/base/ids.ts'
import { apiKeyPrefix, formatApiKey, hashSecret, parseApiKey } from '../../../src/credentials/api-key.ts'

const tenantId = '018f0000-0000-7000-8000-00000000000a'
const apiKeyId = '018f0000-0000-7000-8000-0000000000ff'
const secret = Buffer.alloc(32, 0xa5)

/** Keys outlive the program that made them: this text must parse for ever. */
const golden =
  'tenure_live_0MuhmckEK6eM92TQk4Zc8fxV1v0DW86hmPrOhcCKkLH_dHMOUNLh0UTx6gmQ9MHQdRUvZdbXMLLlzChlYYN1shx4UgTMg'

test('the text of a key is what it was at the first release', () => {
  const text = formatApiKey('live', tenantId, apiKeyId, secret)
  expect(text).toBe(golden)
  expect(parseApiKey(golden, 'live')).toEqual({ tenantId, apiKeyId, secretHash: hashSecret(secret) })
})

test('a key comes apart into what it was made of, whatever its bytes', () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
  fc.assert(
    fc.property(bytes, fc.uuid(), fc.uuid(), (value, tenant, key) => {
      const parsed = parseApiKey(formatApiKey('dev', tenant, key, value), 'dev')
      expect(parsed).toEqual({ tenantId: tenant, apiKeyId: key, secretHash: hashSecret(value) })
    }),
  )
  expect(parseApiKey(formatApiKey('dev', nilUuid, apiKeyId, secret), 'dev')?.tenantId).toBe(nilUuid)
})

test('no change of one character leaves a key that parses to the same', () => {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.\n '
  const text = formatApiKey('live', tenantId, apiKeyId, secret)
  for (let at = 0; at < text.length; at += 1) {
    for (const character of alphabet) {
      if (character === text[at]) continue
      const changed = text.slice(0, at) + character + text.slice(at + 1)
      expect([changed, parseApiKey(changed, 'live')]).toEqual([changed, undefined])
    }
  }
})

test('truncated, extended, of another environment and empty are no keys', () => {
  const text = formatApiKey('live', tenantId, apiKeyId, secret)
  for (const bad of [text.slice(0, -1), `${text}0`, ` ${text}`, `${text}\n`, '', 'tenure_live_', text.toUpperCase()]) {
    expect([bad, parseApiKey(bad, 'live')]).toEqual([bad, undefined])
  }
  expect(parseApiKey(text, 'staging')).toBeUndefined()
})

test('what people see of a key tells nothing of its secret', () => {
  const text = formatApiKey('live', tenantId, apiKeyId, secret)
  expect(apiKeyPrefix('live', apiKeyId)).toBe('tenure_live_…000000ff')
  expect(text).not.toContain('000000ff')
})
