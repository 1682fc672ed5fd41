import { createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lookAtIsolation } from '../support/look-at-isolation.ts'
import { transportTo } from '../support/test-server.ts'
import { runWalk, type WalkFigures } from '../support/walk-run.ts'
import { openWalkWorld, type WalkWorld } from '../support/walk-world.ts'

/** Always the same walk, unless another seed is given. */
const seed = Number(process.env.TENURE_TEST_SEED ?? 20_261_122)
const steps = 100_000
/** Far more than it takes: a machine that is busy with other things makes nothing here wrong. */
const patienceMs = 900_000

let world: WalkWorld
let walked: WalkFigures

beforeAll(async () => {
  world = await openWalkWorld(seed)
  walked = await runWalk(world, { seed, steps })
}, patienceMs)

afterAll(() => world[Symbol.asyncDispose]())

test('of a hundred thousand operations on three servers every answer is what the naive model allows, and none speaks of another tenant', () => {
  expect(walked.faults.slice(0, 3)).toEqual([])
  expect(walked.steps).toBeGreaterThanOrEqual(steps)
})

test('the walk met what it is for: every operation answered and refused, changes all along, and servers that were mostly not behind', () => {
  for (const [what, { answered, refused }] of walked.asked) {
    // Whatever is hostile is refused; that alone is its answer.
    if (what !== 'hostile write') expect(answered, what).toBeGreaterThan(steps / 1_000)
    expect(refused, what).toBeGreaterThan(steps / 1_000)
  }
  expect(walked.asked.size).toBe(9)
  expect(walked.writes).toBeGreaterThan(steps / 100)
  for (const what of ['Archive', 'Unarchive', 'Delete', 'Undelete'])
    expect(walked.changed).toContain(`${what}Workspace`)
  for (const what of ['Suspend', 'Resume', 'Delete', 'Undelete']) expect(walked.changed).toContain(`${what}Tenant`)
  expect(walked.decisions).toBeGreaterThan(steps / 2)
  expect(walked.stale).toBeLessThan(steps / 20)
  expect(walked.ids).toBeGreaterThan(300)
  expect(walked.words).toBeGreaterThan(steps / 2)
})

test('a look at isolation finds nothing in what the walk has left: rows, history, codes and decisions agree', async () => {
  const [server] = world.servers
  const transport = transportTo(server?.httpUrl ?? '', world.root.secret)
  expect(await lookAtIsolation({ client: (service) => createClient(service, transport) })).toEqual({})
}, 120_000)
