import { expect, test } from 'vitest'
import { judgeChain } from '../../../src/assurance/checkpoints/chain-judgement.ts'

const hash = (fill: number) => Buffer.alloc(32, fill)
const place = { tenantId: 't', chain: 'authority', timelineId: 'first' }
const known = { ...place, sequence: 5, chainHash: hash(5), number: 1 }
const now = { ...place, tenantSlug: 'acme', tenantState: 'ACTIVE', sequence: 5, chainHash: hash(5) }
const later = { ...now, sequence: 7, chainHash: hash(7) }

test.each([
  ['a chain nobody knew of has grown', undefined, now, undefined, 'grown'],
  ['a chain at its known end is the same', known, now, hash(5), 'same'],
  ['a chain behind its known end has grown', known, later, hash(5), 'grown'],
  ['another hash at the known end is a rewritten chain', known, { ...now, chainHash: hash(6) }, hash(5), 'rewritten'],
  ['another hash on the way is a rewritten chain', known, later, hash(6), 'rewritten'],
  ['an event that is gone on the way is a rewritten chain', known, later, undefined, 'rewritten'],
  ['an end before the known one is a rewritten chain', known, { ...now, sequence: 4 }, undefined, 'rewritten'],
  ['a chain that is gone though it was known is a rewritten one', known, undefined, undefined, 'rewritten'],
  ['a chain nobody knew of and that is not there is gone', undefined, undefined, undefined, 'gone'],
  ['of a purged tenant nothing is said', known, { ...now, tenantState: 'PURGED', sequence: 1 }, undefined, 'gone'],
  ['on another timeline it goes on from anywhere', known, { ...later, timelineId: 'second' }, hash(6), 'restored'],
] as const)('%s', (_, before, found, hashThere, kind) => {
  expect(judgeChain(before, found, hashThere).kind).toBe(kind)
})
