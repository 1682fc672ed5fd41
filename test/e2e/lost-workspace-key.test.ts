import { mkdtempSync, readdirSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { localKeyringOf } from '../support/test-keyring.ts'
import { startTestServer } from '../support/test-server.ts'

test('a workspace that has sealed values is never given a second key of the same id, because its first is not found', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-lost-key-'))
  // Whatever the run has its keys in: these are files that can be taken away.
  const env = localKeyringOf(folder)
  await using server = await startTestServer({ folder, env })
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  const secrets = server.client(SecretService, acme.ownerKey)
  const parent = 'tenants/acme/workspaces/prod/secrets/database'
  const keys = join(folder, 'keyring')
  const lost = readdirSync(keys).filter((name) => name.startsWith('workspace-'))
  await secrets.addSecretVersion({ parent, payload: Buffer.from('before') })
  for (const name of lost) renameSync(join(keys, name), join(folder, name))
  const added = await reasonOf(secrets.addSecretVersion({ parent, payload: Buffer.from('meanwhile') }))
  // The operator puts the files back from the backup.
  for (const name of lost) renameSync(join(folder, name), join(keys, name))
  await server.stop()
  await using again = await startTestServer({ folder, env })
  const after = again.client(SecretService, acme.ownerKey)
  expect([added, await reasonOf(after.accessSecretVersion({ name: `${parent}/versions/2` }))]).toEqual([
    'INTERNAL',
    'OK',
  ])
  expect(await reasonOf(after.addSecretVersion({ parent, payload: Buffer.from('after it') }))).toBe('OK')
})

test('the values of an archived workspace cannot be had, nor those of a deleted one', async () => {
  await using server = await startTestServer()
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  const name = 'tenants/acme/workspaces/prod/secrets/database/versions/1'
  const reasons = async () => [
    await reasonOf(server.client(SecretService, acme.ownerKey).accessSecretVersion({ name })),
    await reasonOf(server.client(SecretService).accessSecretVersion({ name })),
  ]
  await server.client(WorkspaceService).archiveWorkspace({ name: `${acme.name}/workspaces/prod` })
  expect(await reasons()).toEqual(['WORKSPACE_ARCHIVED', 'WORKSPACE_ARCHIVED'])
  await server.client(WorkspaceService).deleteWorkspace({ name: `${acme.name}/workspaces/prod` })
  expect(await reasons()).toEqual(['NOT_FOUND', 'NOT_FOUND'])
})
