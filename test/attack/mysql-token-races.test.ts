import { afterAll, beforeAll, expect, test } from 'vitest'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { byOwnKey, byRoot, makeHolder, raceTaking, takings, untilKnown } from './token-race.ts'

let one: TestServer
let two: TestServer
let acme: TenantFixture
let holders = 0

beforeAll(async () => {
  one = await startTestServer()
  two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-2' } })
  await seedPermissions(one)
  acme = await seedTenant(one, 'acme')
})

afterAll(async () => {
  await two?.[Symbol.asyncDispose]()
  await one?.[Symbol.asyncDispose]()
})

const askings = [
  ['somebody who may impersonate', byRoot],
  ['its own key', byOwnKey],
] as const

for (const [who, asking] of askings) {
  test.each(takings)(`with the revision of it, another server gives ${who} no token once %s`, async (_what, taking) => {
    holders += 1
    const holder = await makeHolder(one, acme.name, `holder-${holders}`)
    await untilKnown(two, holder)
    const { before, after } = await raceTaking(two, one, holder, { asking, taking, withRevision: true })
    expect(before.filter(({ answer }) => answer === 'CARRIED').length).toBeGreaterThan(5)
    expect(after.length).toBeGreaterThan(20)
    expect(after.filter(({ answer }) => answer === 'CARRIED' || answer === 'STALE')).toEqual([])
  })
}
