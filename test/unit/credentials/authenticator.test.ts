import { randomBytes } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import type { Engines } from '../../../src/access/engines.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { formatApiKey } from '../../../src/credentials/api-key.ts'
import { createAuthenticator } from '../../../src/credentials/authenticator.ts'
import type { Authenticator } from '../../../src/rpc/ports.ts'

const uid = (digit: string) => `01900000-0000-7000-8000-00000000000${digit}`

let reads: string[]
let nowMs: number
let authenticator: Authenticator

beforeEach(() => {
  reads = []
  nowMs = 1_000
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
  const engines = {
    async of(tenantId: string) {
      reads.push(tenantId)
      return undefined
    },
  } as unknown as Engines
  authenticator = createAuthenticator({ engines, clock, environment: 'dev' })
})

async function forged(tenantId: string): Promise<void> {
  await authenticator.authenticate(`Bearer ${formatApiKey('dev', tenantId, uid('9'), randomBytes(32))}`)
}

test('keys made up for a tenant that is not there cause one read, however many come', async () => {
  for (let tried = 0; tried < 5; tried += 1) await expect(forged(uid('1'))).rejects.toThrow(/not valid/)
  await expect(forged(uid('2'))).rejects.toThrow(/not valid/)
  expect(reads).toEqual([uid('1'), uid('2')])
})

test('that a tenant is not there is believed for a minute', async () => {
  await expect(forged(uid('1'))).rejects.toThrow(/not valid/)
  nowMs += 60_000
  await expect(forged(uid('1'))).rejects.toThrow(/not valid/)
  expect(reads).toEqual([uid('1'), uid('1')])
})
