import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

/** What each list with a time in it answers. */
async function outcomes(comparison: string): Promise<string[]> {
  const users = server.client(UserService).listUsers({ parent: acme.name, filter: `create_time ${comparison}` })
  const events = server.client(AuditService).listAuditEvents({ parent: acme.name, filter: `event_time ${comparison}` })
  return Promise.all([users, events].map(reasonOf))
}

test.each([
  '< "9999-12-31T23:59:59-14:00"',
  '< "9999-12-31T23:59:59.999-00:01"',
  '> "0001-01-01T00:00:00+14:00"',
  '> "0001-01-01T00:00:00+00:01"',
  '> "0000-01-01T00:00:00Z"',
  '> "0000-12-31T23:59:59Z"',
])('a time that no engine need store is refused as a filter: %s', async (comparison) => {
  expect(await outcomes(comparison)).toEqual(['INVALID_FILTER', 'INVALID_FILTER'])
})

test.each([
  '<= "9999-12-31T23:59:59Z"',
  '<= "9999-12-31T23:59:59+14:00"',
  '>= "0001-01-01T00:00:00Z"',
  '>= "0001-01-01T00:00:00-14:00"',
  '>= "0000-12-31T23:59:00-00:01"',
])('the first and the last time there is are good in a filter, whatever their offset: %s', async (comparison) => {
  expect(await outcomes(comparison)).toEqual(['OK', 'OK'])
})
