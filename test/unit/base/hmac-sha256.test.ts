import { createHmac, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createHmacSha256 } from '../../../src/base/hmac-sha256.ts'

test('it is the HMAC of RFC 4231', () => {
  const one = createHmacSha256(Buffer.alloc(20, 0x0b))('Hi There')
  expect(one.toString('hex')).toBe('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')
  const two = createHmacSha256(Buffer.from('Jefe'))('what do ya want for nothing?')
  expect(two.toString('hex')).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})

test('it is what createHmac answers, for every length, also beyond what it has room for, and for texts of many bytes', () => {
  const key = randomBytes(32)
  const hmac = createHmacSha256(key)
  for (const letter of ['a', 'é', '€', '😀']) {
    for (const length of [0, 1, 54, 55, 56, 63, 64, 65, 119, 5_440, 5_441, 16_320, 16_400, 100_000]) {
      const text = letter.repeat(length)
      expect(hmac(text).equals(createHmac('sha256', key).update(text).digest()), `${length} of ${letter}`).toBe(true)
    }
  }
})

test('what was answered before is not changed by the next', () => {
  const hmac = createHmacSha256(randomBytes(64))
  const first = hmac('first')
  const kept = Buffer.from(first)
  hmac('second')
  expect(first.equals(kept)).toBe(true)
})

test('a key that would have to be hashed first is refused', () => {
  expect(() => createHmacSha256(Buffer.alloc(65))).toThrow(RangeError)
})
