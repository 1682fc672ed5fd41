import { createHash } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { AddSecretVersionRequestSchema, SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { canonicalBytes } from '../../src/rpc/steps/idempotency.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer } from '../support/test-server.ts'

test('who reads the database alone cannot find out a value by guessing, also not after it was destroyed', async () => {
  await using server = await startTestServer()
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  const secrets = server.client(SecretService, acme.ownerKey)
  const parent = 'tenants/acme/workspaces/prod/secrets/pin'
  await secrets.createSecret({ parent: 'tenants/acme/workspaces/prod', secretId: 'pin' })
  await secrets.addSecretVersion({ parent, payload: Buffer.from('000483'), requestId: 'a-retry-safe-client' })
  await secrets.destroySecretVersion({ name: `${parent}/versions/1` })
  await secrets.deleteSecret({ name: parent })
  await using rows = await openSideDoor(server.databaseUrl)
  const [row] = await rows.all(
    "SELECT request_hash FROM journal WHERE event = 'secrets.addVersion' AND request_hash IS NOT NULL AND target LIKE '%pin%'",
  )
  const stolen = Buffer.from(row?.request_hash as Uint8Array).toString('hex')
  let found = ''
  // A request id is no secret: clients log it.
  for (let pin = 0; pin < 1_000 && found === ''; pin += 1) {
    const payload = Buffer.from(String(pin).padStart(6, '0'))
    const guess = create(AddSecretVersionRequestSchema, { parent, payload, requestId: 'a-retry-safe-client' })
    const digest = createHash('sha256').update(canonicalBytes(AddSecretVersionRequestSchema, guess)).digest('hex')
    if (digest === stolen) found = payload.toString()
  }
  expect(found).toBe('')
})
