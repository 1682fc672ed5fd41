import { expect, test } from 'vitest'
import { createIds, isUuid, nilUuid, uuidFromBytes, uuidToBytes } from '../../../src/base/ids.ts'

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const clockAt = (nowMs: () => number) => ({ nowMs, monotonicMs: () => 0 })

test('an id is a UUIDv7 of its time, whatever the random bytes are', () => {
  for (const fill of [0x00, 0x5a, 0xff]) {
    const id = createIds(
      clockAt(() => at),
      (bytes) => bytes.fill(fill),
    ).next()
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(isUuid(id)).toBe(true)
    expect(uuidToBytes(id).readUIntBE(0, 6)).toBe(at)
  }
})

test('all 74 bits that the format leaves free are random', () => {
  const ones = createIds(
    clockAt(() => 0),
    (bytes) => bytes.fill(0xff),
  ).next()
  expect(ones).toBe('00000000-0000-7fff-bfff-ffffffffffff')
})

test('ids sort in the order of the milliseconds they were made in', () => {
  let nowMs = at
  let fill = 255
  // The random part falls while the time rises: only the time can put these in order.
  const ids = createIds(
    clockAt(() => nowMs),
    (bytes) => bytes.fill(fill),
  )
  const made: string[] = []
  for (let i = 0; i < 200; i += 1) {
    made.push(ids.next())
    nowMs += 1
    fill -= 1
  }
  expect(made.toSorted()).toEqual(made)
  expect(new Set(made).size).toBe(made.length)
})

test('bytes and text of a uuid are one value', () => {
  const bytes = Uint8Array.from({ length: 16 }, (_, index) => index * 17)
  const text = '00112233-4455-6677-8899-aabbccddeeff'
  expect(uuidFromBytes(bytes)).toBe(text)
  expect(uuidToBytes(text)).toEqual(Buffer.from(bytes))
})

test('a view into a larger buffer is read at its own place', () => {
  const large = Buffer.alloc(64, 0x11)
  large.fill(0xee, 16, 32)
  expect(uuidFromBytes(large.subarray(16, 32))).toBe('eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee')
})

test('only the one spelling of a uuid is a uuid', () => {
  const uuid = '01890a5d-ac96-774b-bcce-b302099a8057'
  expect(isUuid(uuid)).toBe(true)
  expect(isUuid(nilUuid)).toBe(true)
  for (const other of [
    uuid.toUpperCase(),
    `{${uuid}}`,
    `${uuid}\n`,
    ` ${uuid}`,
    uuid.replaceAll('-', ''),
    uuid.slice(1),
    '',
  ]) {
    expect({ other, is: isUuid(other) }).toEqual({ other, is: false })
  }
})
