import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { startAlertReceiver } from '../support/alert-receiver.ts'
import { checkpointFileOf, shippedIn } from '../support/checkpoint-file.ts'
import { childEnvironment, runTenure } from '../support/child-server.ts'
import { copyDatabase } from '../support/copy-database.ts'
import { openSideDoor } from '../support/side-door.ts'
import { databaseUrlOf } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-restored-checkpoints-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const name = 'tenants/acme'
const rename = (server: TestServer, displayName: string) =>
  server.client(TenantService).updateTenant({ tenant: { name, displayName }, updateMask: { paths: ['display_name'] } })

/** Waits until what the tenant's chain is now is outside. */
async function shippedToItsEnd(server: TestServer, tenantUid: string): Promise<void> {
  await using rows = await openSideDoor(server.databaseUrl)
  const [head] = await rows.all('SELECT chain_hash FROM tenant_heads WHERE tenant_id = ?', [tenantUid])
  const end = Buffer.from(head?.chain_hash as Uint8Array).toString('hex')
  const isOutside = () => shippedIn(folder).some(({ chains }) => chains.some(({ hash }) => hash === end))
  await expect.poll(isOutside, { timeout: 20_000 }).toBe(true)
}

function verify(keys: string, server: TestServer, ...more: readonly string[]) {
  const args = ['verify-checkpoints', checkpointFileOf(folder), '--keys', keys, '--against', server.httpUrl, ...more]
  return runTenure(args, childEnvironment(folder))
}

test('after a restore the command says what was left behind, and, told that the restore is known of, finds all as it must be', async () => {
  const backup = join(folder, 'backup')
  mkdirSync(backup)
  const env = { TENURE_DATABASE_URL: databaseUrlOf(backup) }
  const keys = join(folder, 'jwks.json')
  const before = await startTestServer({ folder })
  writeFileSync(keys, await (await fetch(`${before.httpUrl}/.well-known/jwks.json`)).text())
  const { tenant } = await before.client(TenantService).createTenant({ tenantId: 'acme' })
  const uid = tenant?.uid ?? ''
  await shippedToItsEnd(before, uid)
  await copyDatabase(before.databaseUrl, env.TENURE_DATABASE_URL)
  for (const displayName of ['A', 'B']) {
    await rename(before, displayName)
    await shippedToItsEnd(before, uid)
  }
  expect(await verify(keys, before)).toMatchObject({ code: 0, stderr: '' })
  await before.stop()

  expect(await runTenure(['restored'], childEnvironment(folder, env))).toMatchObject({ code: 0 })
  await using hook = await startAlertReceiver()
  await using after = await startTestServer({ folder, env: { ...env, TENURE_ALERT_URL: hook.url } })
  await rename(after, 'C')
  await shippedToItsEnd(after, uid)
  // Of many chains at once nobody is woken for each.
  await expect.poll(() => hook.alerts.map(({ type }) => type), { timeout: 15_000 }).toEqual(['audit.restored'])
  const told = await verify(keys, after)
  expect(told).toMatchObject({ code: 1, stderr: '' })
  const [leftBehind = '', begunAnew = '', ...others] = told.stdout.trimEnd().split('\n\n')[1]?.split('\n') ?? []
  expect(leftBehind).toMatch(/^Checkpoints? .* signed on a database that was then put back to checkpoint \d+\./)
  expect(begunAnew).toMatch(/^\d chains go on from a restored database, .*tenants\/acme, chain authority/)
  expect(others).toEqual([])
  const restored = /say --restored (\d+);/.exec(leftBehind)?.[1] ?? ''
  const known = await verify(keys, after, '--restored', restored)
  expect(known).toMatchObject({ code: 0, stderr: '' })
  expect(known.stdout).toMatch(/^put back {5}\d of them are from before the database was restored$/m)
  expect(known.stdout).toMatch(/^problems {5}0$/m)
  const { valid } = await after.client(AuditService).verifyAuditChain({ parent: name })
  expect(valid).toBe(true)
  expect((await verify(keys, after, '--restored', 'last')).stderr).toMatch(/^tenure: --restored takes numbers/)
}, 120_000)
