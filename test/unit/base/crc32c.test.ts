import { expect, test } from 'vitest'
import { crc32c } from '../../../src/base/crc32c.ts'

const ascending = Uint8Array.from({ length: 32 }, (_, at) => at)

// The examples of RFC 3720, appendix B.4, and the check value of the algorithm.
test.each<[string, Uint8Array, number]>([
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 ascending', ascending, 0x46dd794e],
  ['32 descending', ascending.toReversed(), 0x113fdb5c],
  ['the digits', Buffer.from('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(), 0],
])('%s', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected)
})
