import { expect, test } from 'vitest'
import { checkEtag, etagOf } from '../../../src/base/etag.ts'

const uid = '01890a5d-ac96-774b-bcce-b302099a8057'
const other = '01890a5d-ac96-774b-bcce-b302099a8058'
const mismatch = expect.objectContaining({ reason: 'ETAG_MISMATCH', code: 'ABORTED' })

test('one state has one etag, and every other state another', () => {
  const states = [uid, other].flatMap((each) => Array.from({ length: 200 }, (_, version) => etagOf(each, version)))
  expect(new Set(states).size).toBe(states.length)
  expect(etagOf(uid, 1)).toBe(etagOf(uid, 1))
  expect(etagOf(uid, 1)).toMatch(/^[\w-]{16}$/)
})

test('a write over a state the caller has not seen is refused', () => {
  expect(() => checkEtag(etagOf(uid, 1), uid, 2)).toThrow(mismatch)
  expect(() => checkEtag(etagOf(other, 2), uid, 2)).toThrow(mismatch)
  expect(() => checkEtag('*', uid, 2)).toThrow(mismatch)
  expect(() => checkEtag(etagOf(uid, 2), uid, 2)).not.toThrow()
})

test('no etag asks for no check', () => {
  expect(() => checkEtag('', uid, 2)).not.toThrow()
})
