import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { isCommit } from '../rigs/mysql/mysql-packets.ts'
import { openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { databaseUrlOf, ensureDatabase, mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer } from '../support/test-server.ts'

test('units of volume and accesses whose COMMIT is lost, before or after it took effect, are done once and told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-lost-'))
  await ensureDatabase(databaseUrlOf(folder))
  await using network = await openFaultProxy(mysqlAdministrator())
  const url = new URL(databaseUrlOf(folder))
  url.host = `${network.host}:${network.port}`
  await using server = await startTestServer({ folder, env: { TENURE_DATABASE_URL: url.href } })
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  const secrets = server.client(SecretService, acme.ownerKey)
  const parent = `${acme.name}/workspaces/prod/secrets/database`
  let added = 1
  let had = 0
  const strike = (when: 'before' | 'after', lasting: () => boolean) =>
    network.cutWhen((bytes, direction) => {
      if (!lasting() || direction !== 'toServer' || !isCommit(bytes)) return undefined
      return when
    })
  for (let n = 0; n < 12; n += 1) {
    for (const when of ['before', 'after'] as const) {
      let on = true
      strike(when, () => on)
      const adding = await reasonOf(
        secrets.addSecretVersion({ parent, payload: Buffer.from(`v${n}`), requestId: `a-${n}-${when}` }),
      )
      on = false
      if (adding === 'OK') added += 1
      let again = true
      strike(when, () => again)
      const having = await reasonOf(secrets.accessSecretVersion({ name: `${parent}/versions/1` }))
      again = false
      if (having === 'OK') had += 1
    }
  }
  const { secret } = await secrets.getSecret({ name: parent })
  expect(Number(secret?.versionCount)).toBe(added)
  const { workspace } = await server.client(WorkspaceService).getWorkspace({ name: `${acme.name}/workspaces/prod` })
  const audit = server.client(AuditService, acme.ownerKey)
  for (const chain of [`workspace/${workspace?.uid}`, 'access/replica-1']) {
    expect((await audit.verifyAuditChain({ parent: acme.name, chain })).valid).toBe(true)
  }
  const { auditEvents } = await audit.listAuditEvents({
    parent: acme.name,
    filter: 'event = "secrets.access"',
    pageSize: 1000,
  })
  expect(auditEvents.length).toBeGreaterThanOrEqual(had)
}, 120_000)
