import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase62, encodeBase62 } from '../../../src/base/base62.ts'

// 22 digits hold 16 bytes, 43 hold 32.
const sizes = [
  { byteLength: 16, length: 22 },
  { byteLength: 32, length: 43 },
]

test.each(sizes)('$byteLength bytes survive as $length digits', ({ byteLength, length }) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: byteLength, maxLength: byteLength }), (bytes) => {
      const text = encodeBase62(bytes, length)
      expect(text).toMatch(/^[0-9A-Za-z]+$/)
      expect(text).toHaveLength(length)
      expect(decodeBase62(text, byteLength)).toEqual(Buffer.from(bytes))
    }),
  )
})

test('the text sorts as the bytes do', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      (left, right) => {
        const order = Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(right)))
        const [a, b] = [encodeBase62(left, 11), encodeBase62(right, 11)]
        expect(a === b ? 0 : a < b ? -1 : 1).toBe(order)
      },
    ),
  )
})

test('the smallest and the largest value have their digits', () => {
  expect(encodeBase62(new Uint8Array(4), 6)).toBe('000000')
  expect(encodeBase62(Uint8Array.of(61), 1)).toBe('z')
  expect(encodeBase62(Uint8Array.of(62), 2)).toBe('10')
  expect(encodeBase62(Uint8Array.of(255, 255, 255, 255), 6)).toBe('4gfFC3')
})

test('bytes that do not fit their digits are refused, never cut', () => {
  expect(() => encodeBase62(Uint8Array.of(62), 1)).toThrow(RangeError)
})

test('a number too large for its bytes, or a foreign digit, decodes to nothing', () => {
  expect(decodeBase62('4gfFC3', 4)).toEqual(Buffer.from([255, 255, 255, 255]))
  expect(decodeBase62('4gfFC4', 4)).toBeUndefined()
  for (const text of ['4gf C3', '4gf-C3', '4gfF\u0661', '+gfFC3', '4gfFC3\n']) {
    expect({ text, bytes: decodeBase62(text, 4) }).toEqual({ text, bytes: undefined })
  }
})
