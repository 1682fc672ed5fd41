import { expect, test } from 'vitest'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { giveCodes } from '../../src/tenancy/coded-rows.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

async function wide(server: TestServer, tenantId: string, count: number): Promise<void> {
  await using rows = await openSideDoor(server.databaseUrl)
  await rows.run('BEGIN')
  for (let at = 0; at < count; at += 1) {
    const id = `01920000-0000-7000-8000-${String(at).padStart(12, '0')}`
    await rows.run(
      "INSERT INTO workspaces (tenant_id, workspace_id, slug, display_name, state, labels, version, create_time, update_time) VALUES (?, ?, ?, '', 'ACTIVE', '{}', 1, '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000')",
      [tenantId, id, `w-${at}`],
    )
  }
  await rows.run('COMMIT')
}

test('a principal with more than a thousand workspaces is told to narrow the token, not that something is broken', async () => {
  await using first = await startTestServer()
  await seedPermissions(first)
  const acme = await seedTenant(first, 'acme')
  await wide(first, acme.uid, 1_000)
  await giveCodes(first.server.platform.codedRows, 'places')
  await first.stop()
  await using server = await startTestServer({ folder: first.folder })
  const tokens = server.client(TokenService, acme.ownerKey)
  expect(await reasonOf(tokens.issueToken({ parent: acme.name }))).toBe('TOKEN_TOO_LARGE')
})
