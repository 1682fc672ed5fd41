import { expect, test } from 'vitest'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { seedPermissions, seedSecret, seedTenant } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer } from '../support/test-server.ts'

test('one request id sent to two workspaces at once is a reused request id, and nothing else', async () => {
  await using server = await startTestServer()
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  await seedSecret(server, `${acme.name}/workspaces/test`, 'database')
  const secrets = server.client(SecretService, acme.ownerKey)
  const seen = new Set<string>()
  for (let n = 0; n < 60; n += 1) {
    const both = ['prod', 'test'].map((workspace) =>
      reasonOf(
        secrets.addSecretVersion({
          parent: `${acme.name}/workspaces/${workspace}/secrets/database`,
          payload: Buffer.from('v'),
          requestId: `r-${n}`,
        }),
      ),
    )
    for (const reason of await Promise.all(both)) seen.add(reason)
  }
  expect([...seen].sort()).toEqual(['OK', 'REQUEST_ID_REUSED'])
})
