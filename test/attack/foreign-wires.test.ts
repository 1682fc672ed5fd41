import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { everyMethod, methodName } from './caller.ts'
import { faultsOf } from './foreign-table.ts'
import { expectUntouched } from './foreign-untouched.ts'
import { type ForeignWorld, openForeignWorld } from './foreign-world.ts'
import { everyWire } from './wires.ts'

// The table of foreign-names.test.ts once more, on the wires that carry bytes.

let world: ForeignWorld

beforeAll(async () => {
  world = await openForeignWorld()
})

afterAll(() => world[Symbol.asyncDispose]())

const wires = everyWire.filter((wire) => wire !== 'Connect JSON')

describe.each(everyMethod.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test.each(wires)('what is of another tenant, or of another workspace, is what never was, over %s', async (wire) => {
    expect(await faultsOf(world, method, wire)).toEqual([])
  })
})

test('after all of it the other tenant is as it was, unread and unknown', async () => {
  await expectUntouched(world, 8_000)
})
