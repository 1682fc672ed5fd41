import { expect, test } from 'vitest'
import type { AuditCheckpointRow } from '../../../src/tenancy/checkpoint-tables.ts'
import { chain, hashOf, openCheckpointWorld } from '../../support/checkpoint-world.ts'

const hourMs = 60 * 60_000

test('a round has an end though its chain grows with every look, and what grew is the next round’s', async () => {
  const world = await openCheckpointWorld([chain('a', 1)])
  world.hooks.reading = () => {
    world.chains[0] = chain('a', (world.chains[0]?.sequence ?? 0) + 1)
    world.grown(chain('a', 0))
  }
  await world.round()
  expect(world.rows).toHaveLength(1)
  expect(world.told).toEqual(['current'])
  await world.round(4_000)
  expect(world.rows).toHaveLength(2)
})

test('what is missed during a sweep asks for another one', async () => {
  const world = await openCheckpointWorld([chain('a', 1)])
  let pages = 0
  world.hooks.page = () => {
    pages += 1
    if (pages === 1) world.missed()
  }
  await world.round()
  const first = pages
  await world.round(4_000)
  expect(pages).toBeGreaterThan(first)
  const second = pages
  await world.round(4_000)
  expect(pages).toBe(second)
})

test.each(['a', 'z'])('tenant %s taken away whole is found by the sweep', async (tenantId) => {
  const world = await openCheckpointWorld([chain('a', 1), chain('b', 1), chain('c', 1), chain('z', 4)])
  await world.round()
  world.chains.splice(0, world.chains.length, ...world.chains.filter((each) => each.tenantId !== tenantId))
  await world.round(hourMs + 1)
  expect(world.told).toContain(`rewritten ${tenantId}/authority: the chain is gone`)
})

test('a purge that begins between two readings is no rewritten chain', async () => {
  const world = await openCheckpointWorld([chain('a', 5)])
  await world.round()
  world.chains[0] = chain('a', 6)
  world.grown(chain('a', 0))
  // The head is read as it was, the journal when it is purged already.
  world.hooks.reading = () => {
    world.chains[0] = chain('a', 7, { tenantState: 'PURGED' })
  }
  await world.round(4_000)
  expect(world.told).toEqual(['current', 'current'])
})

test('a checkpoint dated in the future, by whatever clock, keeps nobody from the next one', async () => {
  const world = await openCheckpointWorld([chain('a', 1)])
  await world.round()
  const [made] = world.rows
  world.rows[0] = { ...(made as AuditCheckpointRow), maker: 'other', createTime: new Date(2_000_000_000_000) }
  world.chains[0] = chain('a', 2)
  world.grown(chain('a', 0))
  await world.round(4_000)
  expect(world.rows).toHaveLength(2)
})

test('after a checkpoint of another server a moment ago the chains wait, and are not lost', async () => {
  const world = await openCheckpointWorld([chain('a', 1)])
  await world.round()
  world.rows[0] = { ...(world.rows[0] as AuditCheckpointRow), maker: 'other' }
  world.chains[0] = chain('a', 2)
  world.grown(chain('a', 0))
  await world.round(100)
  expect(world.rows).toHaveLength(1)
  await world.round(4_000)
  expect(world.rows).toHaveLength(2)
})

test('a rewritten chain is told once, counted though nothing can be shipped, and left out', async () => {
  const world = await openCheckpointWorld([chain('a', 5), chain('b', 1)])
  await world.round()
  world.hooks.sink = { ship: () => Promise.reject(new Error('away')) }
  world.chains[0] = chain('a', 5, { chainHash: hashOf(99) })
  world.chains[1] = chain('b', 2)
  world.grown(chain('a', 0), chain('b', 0))
  await world.round(4_000)
  world.grown(chain('a', 0))
  await world.round(4_000)
  expect(world.told).toEqual([
    'current',
    'rewritten a/authority: its end has another hash',
    '1 rewritten',
    'unshipped',
    '1 rewritten',
  ])
})

test('a chain that rests on another timeline is signed for as restored, and rewritten from then on is told', async () => {
  const world = await openCheckpointWorld([chain('a', 5)])
  await world.round()
  world.chains[0] = chain('a', 5, { timelineId: 'second' })
  await world.round(hourMs + 1)
  world.chains[0] = chain('a', 5, { timelineId: 'second', chainHash: hashOf(99) })
  await world.round(hourMs + 1)
  expect(world.told.filter((text) => text !== 'current')).toEqual([
    'restored a/authority',
    'rewritten a/authority: its end has another hash',
    '1 rewritten',
  ])
})
