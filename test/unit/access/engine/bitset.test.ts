import { describe, expect, test } from 'vitest'
import { Bitset } from '../../../../src/access/engine/bitset.ts'

describe('Bitset', () => {
  test('holds what it was built from, across words, and nothing else', () => {
    const bits = Bitset.of([0, 31, 32, 95])
    expect(bits.indexes()).toEqual([0, 31, 32, 95])
    expect([0, 1, 31, 32, 33, 95, 96, 5000].filter((index) => bits.has(index))).toEqual([0, 31, 32, 95])
    expect(Bitset.empty.indexes()).toEqual([])
    expect(Bitset.of([]).isEmpty).toBe(true)
    // One object, so that an empty set takes no room.
    expect(Bitset.of([])).toBe(Bitset.empty)
    expect(Bitset.empty.has(0)).toBe(false)
  })

  test('is the same in whatever order it was built, and empty when nothing is left in it', () => {
    expect(Bitset.of([70, 3]).indexes()).toEqual([3, 70])
    expect(Bitset.of([3]).isEmpty).toBe(false)
    expect(Bitset.of([3, 70]).intersect(Bitset.of([4, 71])).isEmpty).toBe(true)
    expect(Bitset.of([70]).isEmpty).toBe(false)
  })

  test('unions and intersections work for sets of unequal length, both ways round, and leave their parts as they were', () => {
    const short = Bitset.of([1, 3])
    const long = Bitset.of([3, 70])
    for (const [one, other] of [
      [short, long],
      [long, short],
    ] as const) {
      expect(one.union(other).indexes()).toEqual([1, 3, 70])
      expect(one.intersect(other).indexes()).toEqual([3])
    }
    expect(short.indexes()).toEqual([1, 3])
    expect(long.indexes()).toEqual([3, 70])
  })

  test('containsAll is exact, the highest bit of a word included', () => {
    expect(Bitset.of([3, 31, 70]).containsAll(Bitset.of([31, 70]))).toBe(true)
    expect(Bitset.of([3]).containsAll(Bitset.of([3, 70]))).toBe(false)
    expect(Bitset.of([30]).containsAll(Bitset.of([31]))).toBe(false)
    expect(Bitset.of([3]).containsAll(Bitset.empty)).toBe(true)
  })
})
