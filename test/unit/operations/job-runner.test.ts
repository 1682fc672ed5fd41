import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { EmptySchema } from '@bufbuild/protobuf/wkt'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Clock } from '../../../src/base/clock.ts'
import { TenureError } from '../../../src/base/errors.ts'
import { platformTenantId } from '../../../src/base/ids.ts'
import { operationHomes } from '../../../src/jobs.ts'
import { silentLog } from '../../../src/observe/log.ts'
import { type Job, type JobRun, LeaseLost } from '../../../src/operations/job.ts'
import { type JobRunner, startJobRunner } from '../../../src/operations/job-runner.ts'
import { newOperation, type OperationRow } from '../../../src/operations/operation.ts'
import { leaseMs, type OperationHome, takeUp, writeHeld } from '../../../src/operations/operation-lease.ts'
import { openPlatform, type Platform } from '../../../src/platform.ts'
import { createRuntime } from '../../../src/server.ts'
import { testConfig } from '../../support/test-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'tenure-jobs-'))
let passedMs = 0
const clock: Clock = { nowMs: () => Date.now() + passedMs, monotonicMs: () => performance.now() + passedMs }
let platform: Platform
let home: OperationHome
let made = 0
const running: JobRunner[] = []

beforeAll(async () => {
  const config = testConfig(folder)
  platform = await openPlatform(config, createRuntime(config, { log: silentLog }))
  const [, ofPlatform] = operationHomes(platform)
  if (ofPlatform === undefined) throw new Error('the platform has no home for operations')
  home = ofPlatform
})

afterEach(async () => {
  for (const runner of running.splice(0)) await runner[Symbol.asyncDispose]()
})

afterAll(async () => {
  await platform[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(kind: string): Promise<string> {
  made += 1
  const operationId = `01900000-0000-7000-8000-${String(made).padStart(12, '0')}`
  const actor = { principal: 'serviceAccounts/root', credential: '', requestId: '', clientIp: '' }
  const now = new Date(clock.nowMs())
  await home.write(
    (rows) =>
      rows.insert(newOperation({ tenantId: platformTenantId, operationId, kind, target: '', actor, input: {}, now })),
    platformTenantId,
  )
  return operationId
}

const look = async (operationId: string) => (await home.read((rows) => rows.find({ operationId }))) as OperationRow

async function until(operationId: string, holds: (row: OperationRow) => boolean, paceMs = 0): Promise<OperationRow> {
  for (let tried = 0; tried < 200; tried += 1) {
    const row = await look(operationId)
    if (holds(row)) return row
    passedMs += paceMs
    await sleep(25)
  }
  throw new Error(`it never came to that: ${JSON.stringify(await look(operationId))}`)
}

const hasEnded = ({ state }: OperationRow) => state !== 'OPEN'
const nothing = { schema: EmptySchema, message: create(EmptySchema) }

function start(holder: string, ...jobs: Job[]): JobRunner {
  const runner = startJobRunner({
    ...{ homes: [home], jobs, clock, jitter: () => 0, holder, log: silentLog, ended: () => undefined },
  })
  running.push(runner)
  return runner
}

const step = (checkpoint: Readonly<Record<string, number>>) => ({
  phase: 'work',
  done: 1,
  total: 2,
  message: 'Working.',
  checkpoint,
})

test('an operation is done once, its progress is seen, and its record has an end', async () => {
  const operationId = await ask('plain')
  const job: Job = {
    kind: 'plain',
    async run(run) {
      await run.progress(step({ at: 1 }))
      return nothing
    },
  }
  start('one', job).wake()
  expect(await until(operationId, hasEnded)).toMatchObject({
    ...{ state: 'SUCCEEDED', attempt: 1, phase: 'work', done: 1, total: 2, leaseHolder: '' },
    responseType: 'google.protobuf.Empty',
  })
})

test('of two servers that see the same operation one takes it up', async () => {
  const operationId = await ask('contested')
  const taken = await Promise.all(['a', 'b', 'c', 'd'].map((holder) => takeUp(home, clock, holder)))
  expect(taken.filter((row) => row?.operationId === operationId)).toHaveLength(1)
  expect((await look(operationId)).attempt).toBe(1)
  await home.write((rows) => rows.delete(operationId), platformTenantId)
})

test('where a server went silent another goes on from its checkpoint, and the first can write no more', async () => {
  const operationId = await ask('resumed')
  const held = await takeUp(home, clock, 'silent')
  if (held === undefined) throw new Error('nothing was taken up')
  await writeHeld(home, held, { checkpoint: { at: 7 } })
  const seen: number[] = []
  const job: Job = {
    kind: 'resumed',
    async run({ operation }) {
      seen.push(Number(operation.checkpoint.at))
      return nothing
    },
  }
  start('other', job).wake()
  await sleep(200)
  expect(seen).toEqual([])
  passedMs += leaseMs + 1
  expect(await until(operationId, hasEnded)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 })
  expect(seen).toEqual([7])
  await expect(writeHeld(home, held, { checkpoint: { at: 8 } })).rejects.toThrow(LeaseLost)
  expect((await look(operationId)).checkpoint).toEqual({ at: 7 })
})

test('a server that stops hands over what it has not done, at once', async () => {
  const operationId = await ask('handed')
  const waiting: Job = {
    kind: 'handed',
    async run(run: JobRun) {
      await run.progress(step({ at: 3 }))
      await new Promise((_resolve, reject) => run.signal.addEventListener('abort', () => reject(run.signal.reason)))
      return nothing
    },
  }
  const first = start('first', waiting)
  first.wake()
  await until(operationId, ({ phase }) => phase === 'work')
  await first[Symbol.asyncDispose]()
  expect(await look(operationId)).toMatchObject({ state: 'OPEN', leaseHolder: '', failureCount: 0 })
  start('second', { kind: 'handed', run: async () => nothing }).wake()
  expect(await until(operationId, hasEnded)).toMatchObject({ state: 'SUCCEEDED', attempt: 2, checkpoint: { at: 3 } })
})

test('a cancelled operation stops where nothing is half done', async () => {
  const operationId = await ask('cancelled')
  let steps = 0
  const job: Job = {
    kind: 'cancelled',
    async run(run) {
      for (;;) {
        await run.stopIfCancelled()
        steps += 1
        await sleep(10)
      }
    },
  }
  start('one', job).wake()
  await until(operationId, () => steps > 0)
  await home.write((rows) => rows.update(operationId, { cancelRequested: true }), platformTenantId)
  expect(await until(operationId, hasEnded)).toMatchObject({
    state: 'CANCELLED',
    error: { code: 1, reason: 'CANCELLED' },
  })
})

test('what a job refuses is its answer; what nobody foresaw is tried a few times, and its text is told to nobody', async () => {
  const refused = await ask('refused')
  const broken = await ask('broken')
  let tries = 0
  const refusing: Job = {
    kind: 'refused',
    run: () => Promise.reject(new TenureError('INVALID_STATE', 'It is alive.')),
  }
  const breaking: Job = {
    kind: 'broken',
    run: () => {
      tries += 1
      return Promise.reject(new Error('the password is hunter2'))
    },
  }
  start('one', refusing, breaking).wake()
  expect(await until(refused, hasEnded)).toMatchObject({
    ...{ state: 'FAILED', error: { code: 9, reason: 'INVALID_STATE', message: 'It is alive.' } },
  })
  const { state, error } = await until(broken, hasEnded, 1_000)
  expect({ state, tries, reason: error?.reason }).toEqual({ state: 'FAILED', tries: 5, reason: 'INTERNAL' })
  expect(error?.message).not.toContain('hunter2')
})

test.each(['KEYRING_UNAVAILABLE', 'OVERLOADED'] as const)(
  'what is away or busy is waited for, however often: %s',
  async (reason) => {
    const operationId = await ask(reason)
    let tries = 0
    const job: Job = {
      kind: reason,
      async run() {
        tries += 1
        if (tries < 7) throw new TenureError(reason, 'Not now.')
        return nothing
      },
    }
    start('one', job).wake()
    expect(await until(operationId, hasEnded, 1_000)).toMatchObject({ state: 'SUCCEEDED', attempt: 7, failureCount: 1 })
  },
)

test('what must not be left half done is gone on with, however often it failed or took its server with it', async () => {
  const operationId = await ask('fenced')
  await home.write((rows) => rows.update(operationId, { failureCount: 6 }), platformTenantId)
  let tries = 0
  const job: Job = {
    kind: 'fenced',
    untilDone: true,
    async run() {
      tries += 1
      if (tries < 8) throw new Error('the keyring refuses')
      return nothing
    },
  }
  start('one', job).wake()
  const waits = await until(operationId, ({ message }) => message !== '')
  expect(waits.message).toMatch(/broken on our side/)
  expect(waits.leaseExpireTime.getTime()).toBeGreaterThan(clock.nowMs() + 60_000)
  expect(await until(operationId, hasEnded, 60_000)).toMatchObject({ state: 'SUCCEEDED', attempt: 8 })
})
