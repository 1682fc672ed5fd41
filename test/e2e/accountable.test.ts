import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { holdWriters } from '../support/hold-writers.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { testEngine } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

const name = 'tenants/acme/workspaces/prod/secrets/database/versions/1'

/** What an access is written to waits from now on; answers how to let it go. */
async function holdAccesses(): Promise<() => Promise<void>> {
  if (testEngine === 'sqlite') {
    const held = await holdWriters(server)
    return held.releaseDirectory
  }
  const rows = await openSideDoor(server.databaseUrl)
  await rows.run('START TRANSACTION')
  await rows.all("SELECT chain FROM audit_chains WHERE chain LIKE 'access/%' FOR UPDATE")
  return async () => rows[Symbol.asyncDispose]()
}

test('neither a secret nor a token leaves before who had it is written down', async () => {
  const asked = [
    () => server.client(SecretService, acme.ownerKey).accessSecretVersion({ name }, { timeoutMs: 600 }),
    () => server.client(TokenService, acme.ownerKey).issueToken({ parent: acme.name }, { timeoutMs: 600 }),
  ]
  // The chain is there to be held.
  for (const ask of asked) await ask()
  const release = await holdAccesses()
  try {
    for (const ask of asked) expect(await reasonOf(ask())).toMatch(/deadline/i)
  } finally {
    await release()
  }
  for (const ask of asked) expect(await reasonOf(ask())).toBe('OK')
})

test('of many who are given a value at once, each is written down', async () => {
  const count = 300
  const secrets = server.client(SecretService, acme.prodKey)
  await Promise.all(Array.from({ length: count }, () => secrets.accessSecretVersion({ name })))
  const audit = server.client(AuditService, acme.ownerKey)
  const prodKey = `event = "secrets.access" AND target = "${name}"`
  const { auditEvents } = await audit.listAuditEvents({ parent: acme.name, filter: prodKey, pageSize: 1000 })
  expect(auditEvents.filter(({ credential }) => credential.includes('/workspaces/prod/')).length).toBe(count)
})
