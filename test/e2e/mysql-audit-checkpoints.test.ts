import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import type { CheckpointDocument } from '../../src/jwt/audit-checkpoint.ts'
import { shippedIn } from '../support/checkpoint-file.ts'
import { childEnvironment, runTenure } from '../support/child-server.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer } from '../support/test-server.ts'

test('servers over one database make one series: no number twice, none left out, and it verifies as a whole', async () => {
  await using one = await startTestServer()
  const second = join(one.folder, 'second')
  const env = {
    TENURE_REPLICA: 'replica-2',
    TENURE_AUDIT_CHECKPOINTS: `file:${join(second, 'audit-checkpoints.jsonl')}`,
  }
  await using two = await startTestServer({ folder: one.folder, env })
  await using rows = await openSideDoor(one.databaseUrl)
  const untilMs = performance.now() + 25_000
  const makers = new Set<string>()
  for (let at = 0; performance.now() < untilMs && (makers.size < 2 || at < 40); at += 1) {
    const server = at % 2 === 0 ? one : two
    await server.client(TenantService).createTenant({ tenantId: `tenant-${at}` })
    for (const { maker } of await rows.all('SELECT DISTINCT maker FROM audit_checkpoints')) makers.add(String(maker))
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  expect([...makers].sort()).toEqual(['replica-1', 'replica-2'])
  const [last] = await rows.all('SELECT MAX(number) AS number FROM audit_checkpoints')
  const made = Number(last?.number)
  const shipped = (): CheckpointDocument[] => [...shippedIn(one.folder), ...shippedIn(second)]
  await expect.poll(() => shipped().filter(({ number }) => number <= made).length, { timeout: 15_000 }).toBe(made)
  expect(new Set(shipped().map(({ number }) => number)).size).toBe(shipped().length)
  const keys = join(one.folder, 'jwks.json')
  writeFileSync(keys, await (await fetch(`${one.httpUrl}/.well-known/jwks.json`)).text())
  const files = [one.folder, second].map((folder) => join(folder, 'audit-checkpoints.jsonl'))
  for (const file of files) expect(readFileSync(file, 'utf8').length).toBeGreaterThan(0)
  const told = await runTenure(
    ['verify-checkpoints', ...files, '--keys', keys, '--against', two.httpUrl],
    childEnvironment(one.folder),
  )
  expect(told).toMatchObject({ code: 0, stderr: '' })
}, 90_000)
