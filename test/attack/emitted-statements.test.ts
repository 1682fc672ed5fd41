import { afterAll, beforeAll, expect, test } from 'vitest'
import { tenureServices } from '../../src/rpc/services.ts'
import { createRuntime } from '../../src/server.ts'
import { doBackgroundWork } from '../support/background-work.ts'
import { openSideDoor } from '../support/side-door.ts'
import { createStatementRecorder } from '../support/statement-recorder.ts'
import { testEngine } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bodyOf, wholeStory } from '../support/whole-story.ts'
import { readRecorded, writeRecorded } from '../unit/sql-guard/recorded-corpus.ts'
import { bearer, callJson, methodName } from './caller.ts'

// The honest half of the guard's corpus is not written, it is recorded: here, from the product itself.

const methods = new Map(tenureServices.flatMap((service) => service.methods.map((each) => [methodName(each), each])))
const recorder = createStatementRecorder(testEngine)
let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ observeStatement: recorder.observe })
})

afterAll(() => server?.[Symbol.asyncDispose]())

test('the story calls every method of every service', () => {
  const called = new Set(wholeStory.map(({ call }) => call))
  expect(
    [...methods.keys()].filter((name) => !called.has(name)),
    'add a step to test/support/whole-story.ts',
  ).toEqual([])
  expect([...called].filter((name) => !methods.has(name))).toEqual([])
})

test('every statement of the product is in the recorded corpus, and the corpus has no other', async () => {
  const answers = new Map<string, unknown>()
  for (const [at, step] of wholeStory.entries()) {
    const method = methods.get(step.call)
    if (method === undefined) throw new Error(`there is no method ${step.call}`)
    const body = bodyOf(step, answers.get(step.from ?? ''))
    const answer = await callJson(server.httpUrl, method, body, bearer(server.rootKey))
    if (answer.code !== 'ok') throw new Error(`step ${at}, ${step.call} ${body}: ${answer.body}`)
    answers.set(step.call, JSON.parse(answer.body))
  }
  await using sideDoor = await openSideDoor(server.databaseUrl)
  await doBackgroundWork(server, sideDoor, createRuntime(server.config))
  await server.stop()
  const recorded = recorder.recorded()
  if (process.env.UPDATE_STATEMENTS === '1') await writeRecorded(testEngine, recorded)
  const known = readRecorded(testEngine).map(({ sql, parameters, ran }) => ({ sql, parameters, ran }))
  expect(recorded, 'the stores say something else than before: run make record-statements').toEqual(known)
}, 120_000)
