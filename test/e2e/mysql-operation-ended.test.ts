import { randomFillSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { createIds, nilUuid } from '../../src/base/ids.ts'
import { operationHomes } from '../../src/jobs.ts'
import { newOperation, type OperationRow } from '../../src/operations/operation.ts'
import { type OperationHome, takeUp, writeHeld } from '../../src/operations/operation-lease.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// On SQLite one server owns the file, so nobody else can have an operation.

let server: TestServer
let home: OperationHome
const ids = createIds(systemClock, (bytes) => void randomFillSync(bytes))
const hourMs = 60 * 60_000
/** Of a server that looks when every lease has ended: none of those that run takes up what these tests do. */
const later = { ...systemClock, nowMs: () => Date.now() + 2 * hourMs }

beforeAll(async () => {
  server = await startTestServer()
  const [, ofPlatform] = operationHomes(server.server.platform)
  if (ofPlatform === undefined) throw new Error('the platform has no operations')
  home = ofPlatform
})

afterAll(() => server[Symbol.asyncDispose]())

/** One that a server has taken up once, and whose lease has ended for who looks later. */
async function makeHeld(): Promise<OperationRow> {
  const actor = { principal: 'tenure', credential: '', requestId: 'test', clientIp: '' }
  const asked = { tenantId: nilUuid, operationId: ids.next(), kind: 'test', target: '', actor, input: {} }
  const row = {
    ...newOperation({ ...asked, now: new Date() }),
    ...{ attempt: 1, leaseHolder: 'first', leaseExpireTime: new Date(Date.now() + hourMs) },
  }
  await home.write((rows) => rows.insert(row), nilUuid)
  return row
}

/** A home whose reader hears the rest only once the holder has written this. */
function whileHolderWrites(held: OperationRow, changes: Partial<OperationRow>): OperationHome {
  return {
    ...home,
    async read(work) {
      const found = await home.read(work)
      await writeHeld(home, held, changes)
      return found
    },
  }
}

const stored = ({ operationId }: OperationRow) => home.read((rows) => rows.find({ operationId }))

test('what its holder ends while another server takes it up is not done again', async () => {
  const held = await makeHeld()
  const ending = { state: 'SUCCEEDED' as const, leaseHolder: '', endTime: new Date() }
  expect(await takeUp(whileHolderWrites(held, ending), later, 'second')).toBeUndefined()
  expect(await stored(held)).toMatchObject({ state: 'SUCCEEDED', attempt: 1, failureCount: 0, leaseHolder: '' })
})

test('what its holder goes on with while another server takes it up stays with the holder', async () => {
  const held = await makeHeld()
  const renewal = { leaseExpireTime: new Date(later.nowMs() + hourMs) }
  expect(await takeUp(whileHolderWrites(held, renewal), later, 'second')).toBeUndefined()
  expect(await stored(held)).toMatchObject({ state: 'OPEN', attempt: 1, leaseHolder: 'first' })
  await writeHeld(home, held, { state: 'FAILED' })
})

test('whoever takes it up goes on from the last thing that its holder wrote', async () => {
  const held = await makeHeld()
  const taken = await takeUp(whileHolderWrites(held, { checkpoint: { done: 7 } }), later, 'second')
  expect(taken).toMatchObject({ operationId: held.operationId, attempt: 2, checkpoint: { done: 7 } })
  expect(await stored(held)).toMatchObject({ attempt: 2, failureCount: 1, leaseHolder: 'second' })
})
