import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { byOwnKey, byRoot, makeHolder, type Race, raceTaking, takings } from './token-race.ts'

let server: TestServer
let acme: TenantFixture
let holders = 0

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

function newHolder() {
  holders += 1
  return makeHolder(server, acme.name, `holder-${holders}`)
}

function expectTaken({ before, after }: Race): void {
  // It was there to be taken.
  expect(before.filter(({ answer }) => answer === 'CARRIED').length).toBeGreaterThan(5)
  expect(after.length).toBeGreaterThan(20)
  expect(after.filter(({ answer }) => answer === 'CARRIED')).toEqual([])
}

const askings = [
  ['somebody who may impersonate', byRoot],
  ['its own key', byOwnKey],
] as const

for (const [who, asking] of askings) {
  test.each(takings)(
    `once it is answered that %s, ${who} has no token that carries its power`,
    async (_what, taking) => {
      const holder = await newHolder()
      expectTaken(await raceTaking(server, server, holder, { asking, taking, withRevision: false }))
    },
  )
}

test('once it is answered that a key is revoked, it has no token', async () => {
  const holder = await newHolder()
  const taking = async () => server.client(ApiKeyService).revokeApiKey({ name: holder.keyName })
  expectTaken(await raceTaking(server, server, holder, { asking: byOwnKey, taking, withRevision: false }))
})
