import fc from 'fast-check'
import { expect, test } from 'vitest'
import { uuidFromBytes } from '../../../src/base/ids.ts'
import { decodeRevision, encodeRevision } from '../../../src/base/revision.ts'

const counter = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(uuidFromBytes)
const revision = fc.record({
  directoryRevision: counter,
  tenantId: uuid,
  timelineId: uuid,
  placementEpoch: fc.integer({ min: 0, max: 0xffffffff }),
  tenantRevision: counter,
})

const sample = {
  directoryRevision: 7,
  tenantId: '01890a5d-ac96-774b-bcce-b302099a8057',
  timelineId: '01890a5d-ac96-774b-bcce-b302099a8058',
  placementEpoch: 3,
  tenantRevision: 42,
}

test('a revision survives as its token, which is safe in a header and a URL', () => {
  fc.assert(
    fc.property(revision, (given) => {
      const token = encodeRevision(given)
      expect(token).toMatch(/^[\w-]+$/)
      expect(decodeRevision(token)).toEqual(given)
    }),
  )
})

test('the token of a revision does not change: clients keep it', () => {
  expect(encodeRevision(sample)).toBe('AQGJCl2slndLvM6zAgmagFcBiQpdrJZ3S7zOswIJmoBYAAAAAAAAAAcAAAADAAAAAAAAACo')
})

test('no second spelling of a token is taken', () => {
  const token = encodeRevision(sample)
  const others = [
    `${token}=`,
    `${token}\n`,
    ` ${token}`,
    `${token}AA`,
    token.slice(0, -1),
    token.slice(4),
    `${token.slice(0, -1)}p`,
    '',
  ]
  for (const other of others) expect({ other, read: decodeRevision(other) }).toEqual({ other, read: undefined })
})

test('another format, and a counter that no number holds, are no revision', () => {
  const bytes = Buffer.from(encodeRevision(sample), 'base64url')
  const changed = (change: (copy: Buffer) => void): string => {
    const copy = Buffer.from(bytes)
    change(copy)
    return copy.toString('base64url')
  }
  expect(decodeRevision(changed((copy) => copy.writeUInt8(2, 0)))).toBeUndefined()
  expect(decodeRevision(changed((copy) => copy.writeBigUInt64BE(2n ** 53n, 33)))).toBeUndefined()
  expect(decodeRevision(changed((copy) => copy.writeBigUInt64BE(2n ** 64n - 1n, 45)))).toBeUndefined()
})

test('no text makes the reader throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (text) => void decodeRevision(text)))
})
