import { randomFillSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../../src/base/clock.ts'
import type { RandomFill } from '../../../src/base/ids.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { openLocalKeyring } from '../../../src/keyring/local/local-keyring.ts'
import type { KeyringRig } from './keyring-contract.ts'

export interface LocalRig extends KeyringRig {
  readonly folder: string
}

export const realRandom: RandomFill = (bytes) => {
  randomFillSync(bytes)
}

/** Each look at it is a millisecond later. */
export function steppingClock(startMs = 1_790_000_000_000): Clock {
  let nowMs = startMs
  const step = () => {
    nowMs += 1
    return nowMs
  }
  return { nowMs: step, monotonicMs: step }
}

/** Bytes 1, 2, 3, …: for vectors alone. */
export function countingRandom(): RandomFill {
  let next = 0
  return (bytes) => {
    for (let index = 0; index < bytes.length; index += 1) {
      next = (next % 255) + 1
      bytes[index] = next
    }
  }
}

export async function makeLocalRig(random = realRandom, clock = steppingClock()): Promise<LocalRig> {
  const parent = await mkdtemp(join(tmpdir(), 'tenure-keyring-'))
  const folder = join(parent, 'made', 'keyring')
  const opened: Keyring[] = []
  return {
    folder,
    async open() {
      const keyring = await openLocalKeyring({ folder, random, clock })
      opened.push(keyring)
      return keyring
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((keyring) => keyring[Symbol.asyncDispose]()))
      await rm(parent, { recursive: true, force: true })
    },
  }
}
