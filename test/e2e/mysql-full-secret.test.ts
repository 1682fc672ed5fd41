import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer } from '../support/test-server.ts'

test('a secret with as many and as large versions as it may have is listed and deleted', async () => {
  await using server = await startTestServer()
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  const secrets = server.client(SecretService, acme.ownerKey)
  const parent = 'tenants/acme/workspaces/prod/secrets/database'
  await secrets.addSecretVersion({ parent, payload: randomBytes(65_536) })
  await using rows = await openSideDoor(server.databaseUrl)
  const [row] = await rows.all('SELECT * FROM secret_versions WHERE number = 2')
  const columns = Object.keys(row ?? {})
  await rows.run('START TRANSACTION')
  for (let number = 3; number <= 1_000; number += 1) {
    const values = columns.map((column) =>
      column === 'number' ? number : column === 'secret_version_id' ? crypto.randomUUID() : row?.[column],
    )
    await rows.run(
      `INSERT INTO secret_versions (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
      values as never,
    )
  }
  await rows.run('COMMIT')
  const listed = await reasonOf(secrets.listSecretVersions({ parent, pageSize: 1000 }))
  const many = await Promise.all(
    Array.from({ length: 30 }, () => reasonOf(secrets.listSecretVersions({ parent, pageSize: 1000 }))),
  )
  const deleted = await reasonOf(secrets.deleteSecret({ name: parent }))
  expect([listed, ...new Set(many), deleted]).toEqual(['OK', 'OK', 'OK'])
}, 120_000)
