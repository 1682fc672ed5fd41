import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { chainHash } from '../../src/tenancy/audit-chain.ts'
import { type AlertReceiver, startAlertReceiver } from '../support/alert-receiver.ts'
import { checkpointFileOf, shipped, shippedIn } from '../support/checkpoint-file.ts'
import { childEnvironment, runTenure } from '../support/child-server.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

const nobody = '00000000-0000-0000-0000-000000000000'

let hook: AlertReceiver
let server: TestServer
let rows: SideDoor
let acme: TenantFixture

beforeAll(async () => {
  hook = await startAlertReceiver()
  server = await startTestServer({ env: { TENURE_ALERT_URL: hook.url } })
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await hook[Symbol.asyncDispose]()
})

const audit = () => server.client(AuditService)
const rename = (name: string, displayName: string) =>
  server.client(TenantService).updateTenant({ tenant: { name, displayName }, updateMask: { paths: ['display_name'] } })

async function headOf({ uid }: TenantFixture): Promise<number> {
  const [head] = await rows.all('SELECT sequence FROM tenant_heads WHERE tenant_id = ?', [uid])
  return Number(head?.sequence)
}

/** A tenant whose authority chain is shipped to its end. */
async function shippedTenant(slug: string): Promise<TenantFixture> {
  const tenant = await seedTenant(server, slug)
  await shipped(server.folder, { tenantUid: tenant.uid, chain: 'authority' }, await headOf(tenant))
  return tenant
}

/** What somebody does who can write the database and knows how chains are made: another past, every hash of it right. */
async function rebuild({ uid }: TenantFixture, from: number): Promise<void> {
  const events = await rows.all(
    `SELECT sequence, record, hash FROM journal WHERE tenant_id = ? AND chain = 'authority' ORDER BY sequence`,
    [uid],
  )
  let hash: Uint8Array = Buffer.alloc(32)
  for (const { sequence, record, hash: stored } of events) {
    if (Number(sequence) < from) {
      hash = stored as Uint8Array
      continue
    }
    // Another request id of the same length: the columns beside it still agree.
    const bytes = Buffer.from(record as Uint8Array)
    if (Number(sequence) === from) bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    hash = chainHash(hash, bytes)
    await rows.run(
      `UPDATE journal SET record = ?, hash = ? WHERE tenant_id = ? AND chain = 'authority' AND sequence = ?`,
      [...[bytes, hash, uid], Number(sequence)],
    )
  }
  await rows.run('UPDATE tenant_heads SET chain_hash = ? WHERE tenant_id = ?', [hash, uid])
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.httpUrl}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

test('every chain that grows is in a signed checkpoint outside the database within ten seconds', async () => {
  const prod = `${acme.name}/workspaces/prod`
  await server
    .client(SecretService, acme.ownerKey)
    .accessSecretVersion({ name: `${prod}/secrets/database/versions/latest` })
  const workspaces = await rows.all('SELECT workspace_id FROM workspaces WHERE tenant_id = ? AND slug = ?', [
    acme.uid,
    'prod',
  ])
  const ofAcme = (chain: string) => ({ tenantUid: acme.uid, chain })
  const volume = `workspace/${String(workspaces[0]?.workspace_id)}`
  const waited = await Promise.all([
    shipped(server.folder, ofAcme('authority'), await headOf(acme)),
    shipped(server.folder, ofAcme(volume), 1),
    shipped(server.folder, ofAcme('access/replica-1'), 1),
    shipped(server.folder, { tenantUid: nobody, chain: 'authority' }, 1),
  ])
  for (const { waitedMs } of waited) expect(waitedMs).toBeLessThan(10_000)
  const { valid, checkpoint, checkpointSequence, problem } = await audit().verifyAuditChain({ parent: acme.name })
  expect({ valid, problem }).toEqual({ valid: true, problem: '' })
  expect(checkpoint).toMatch(/^auditCheckpoints\/\d+$/)
  expect(checkpointSequence).toBeGreaterThan(0n)
  expect(await metric('tenure_audit_chains_rewritten')).toBe(0)
  expect(Date.now() / 1000 - (await metric('tenure_audit_checkpoint_timestamp_seconds'))).toBeLessThan(15)
})

test('a chain rewritten with every hash and its head right is found by its checkpoint, and never signed for again', async () => {
  const tenant = await shippedTenant('rewritten')
  const head = await headOf(tenant)
  await rebuild(tenant, 3)
  const verdict = await audit().verifyAuditChain({ parent: tenant.name })
  expect(verdict).toMatchObject({ valid: false, firstBadSequence: BigInt(head) })
  expect(verdict.problem).toMatch(/is not the one that checkpoint \d+ holds/)
  await rename(tenant.name, 'And on')
  await rename(acme.name, 'And on')
  const { sequence } = await shipped(server.folder, { tenantUid: acme.uid, chain: 'authority' }, await headOf(acme))
  expect(sequence).toBe(await headOf(acme))
  await expect.poll(() => metric('tenure_audit_chains_rewritten'), { timeout: 15_000 }).toBe(1)
  const woken = () => hook.alerts.find(({ data }) => data.tenant_uid === tenant.uid)
  await expect.poll(woken, { timeout: 15_000 }).toMatchObject({ type: 'audit.rewritten', data: { chain: 'authority' } })
  const signedFor = shippedIn(server.folder)
    .flatMap(({ chains }) => chains)
    .filter(({ tenantUid, chain }) => tenantUid === tenant.uid && chain === 'authority')
  expect(Math.max(...signedFor.map((chain) => chain.sequence))).toBe(head)
  expect(await audit().verifyAuditChain({ parent: tenant.name })).toMatchObject({ valid: false })
})

test('a tail that was cut, with the head put back to where it was then, is found', async () => {
  const tenant = await shippedTenant('cut')
  const head = await headOf(tenant)
  const [before] = await rows.all(
    `SELECT hash FROM journal WHERE tenant_id = ? AND chain = 'authority' AND sequence = ?`,
    [tenant.uid, head - 2],
  )
  await rows.run(`DELETE FROM journal WHERE tenant_id = ? AND chain = 'authority' AND sequence > ?`, [
    tenant.uid,
    head - 2,
  ])
  await rows.run('UPDATE tenant_heads SET sequence = ?, chain_hash = ? WHERE tenant_id = ?', [
    head - 2,
    before?.hash as Uint8Array,
    tenant.uid,
  ])
  const verdict = await audit().verifyAuditChain({ parent: tenant.name })
  expect(verdict).toMatchObject({ valid: false, firstBadSequence: BigInt(head - 1) })
  expect(verdict.problem).toMatch(/^It ends at \d+, and checkpoint \d+ has it at \d+\.$/)
})

test('with its checkpoints taken out of the database too, what was kept outside still finds it', async () => {
  const tenant = await shippedTenant('hidden')
  const kept = join(server.folder, 'kept.jsonl')
  const keys = join(server.folder, 'jwks.json')
  writeFileSync(kept, readFileSync(checkpointFileOf(server.folder)))
  writeFileSync(keys, await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text())
  const point = await shipped(server.folder, { tenantUid: tenant.uid, chain: 'authority' }, 1)
  const knownPoints = [{ sequence: BigInt(point.sequence), hash: point.hash }]
  await rebuild(tenant, 2)
  await rows.run('DELETE FROM audit_checkpoint_ends WHERE tenant_id = ?', [tenant.uid])
  expect(await audit().verifyAuditChain({ parent: tenant.name })).toMatchObject({ valid: true, checkpoint: '' })
  const verdict = await audit().verifyAuditChain({ parent: tenant.name, knownPoints })
  expect(verdict).toMatchObject({ valid: false, firstBadSequence: BigInt(point.sequence) })
  const told = await runTenure(
    ['verify-checkpoints', kept, '--keys', keys, '--against', server.httpUrl],
    childEnvironment(server.folder),
  )
  expect(told).toMatchObject({ code: 1, stderr: '' })
  expect(told.stdout).toMatch(/^checkpoints {2}\d+, from 1 to \d+$/m)
  expect(told.stdout).toContain(`${tenant.name}, chain authority, is not what was signed for.`)
  expect(told.stdout).not.toContain(`${acme.name}, chain authority`)
})

test('a checkpoint changed in the database is no evidence, and says so', async () => {
  const tenant = await shippedTenant('forged')
  const [end] = await rows.all(`SELECT number FROM audit_checkpoint_ends WHERE tenant_id = ? AND chain = 'authority'`, [
    tenant.uid,
  ])
  const number = Number(end?.number)
  const [row] = await rows.all('SELECT document FROM audit_checkpoints WHERE number = ?', [number])
  const document = Buffer.from(row?.document as Uint8Array)
  const [header = '', body = '', signature = ''] = document.toString('latin1').split('.')
  const changed = Buffer.from(body, 'base64url').toString('utf8').replace(tenant.uid, tenant.uid.replaceAll('0', '1'))
  const forged = [header, Buffer.from(changed).toString('base64url'), signature].join('.')
  await rows.run('UPDATE audit_checkpoints SET document = ? WHERE number = ?', [Buffer.from(forged, 'latin1'), number])
  const verdict = await audit().verifyAuditChain({ parent: tenant.name })
  expect(verdict).toMatchObject({ valid: false, checkpoint: `auditCheckpoints/${number}`, checkpointSequence: 0n })
  expect(verdict.problem).toMatch(/is gone or is not what this installation signed/)
  await rows.run('UPDATE audit_checkpoints SET document = ? WHERE number = ?', [document, number])
  expect(await audit().verifyAuditChain({ parent: tenant.name })).toMatchObject({ valid: true, problem: '' })
})

test('a chain that is gone with its rows is a finding where a checkpoint holds it, and an unknown name elsewhere', async () => {
  const tenant = await shippedTenant('gone')
  await server
    .client(SecretService, tenant.ownerKey)
    .accessSecretVersion({ name: `${tenant.name}/workspaces/prod/secrets/database/versions/latest` })
  const chain = 'access/replica-1'
  await shipped(server.folder, { tenantUid: tenant.uid, chain }, 1)
  await rows.run('DELETE FROM journal WHERE tenant_id = ? AND chain = ?', [tenant.uid, chain])
  await rows.run('DELETE FROM audit_chains WHERE tenant_id = ? AND chain = ?', [tenant.uid, chain])
  expect(await audit().verifyAuditChain({ parent: tenant.name, chain })).toMatchObject({
    ...{ valid: false, verifiedCount: 0n, firstBadSequence: 1n },
  })
  await expect(audit().verifyAuditChain({ parent: tenant.name, chain: 'access/nobody' })).rejects.toThrow(/not_found/)
})

test('a chain taken away beside its tenant is none of a purged one, whatever event says so', async () => {
  const tenant = await shippedTenant('volume')
  const prod = `${tenant.name}/workspaces/prod`
  await server.client(SecretService, tenant.ownerKey).accessSecretVersion({
    name: `${prod}/secrets/database/versions/latest`,
  })
  const [place] = await rows.all('SELECT workspace_id FROM workspaces WHERE tenant_id = ? AND slug = ?', [
    ...[tenant.uid, 'prod'],
  ])
  const volume = `workspace/${String(place?.workspace_id)}`
  await shipped(server.folder, { tenantUid: tenant.uid, chain: volume }, 1)
  for (const table of ['journal', 'audit_chains', 'audit_checkpoint_ends'])
    await rows.run(`DELETE FROM ${table} WHERE tenant_id = ? AND chain = ?`, [tenant.uid, volume])
  // Nothing stands in the way of an event like this but the keyless chain it stands in.
  await rows.run("UPDATE directory_journal SET event = 'tenants.purged', target = ? WHERE sequence = 1", [tenant.name])
  const keys = join(server.folder, 'jwks.json')
  writeFileSync(keys, await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text())
  const { code, stdout } = await runTenure(
    ['verify-checkpoints', checkpointFileOf(server.folder), '--keys', keys, '--against', server.httpUrl],
    childEnvironment(server.folder),
  )
  expect(code).toBe(1)
  expect(stdout).toContain(
    `${tenant.name}, chain ${volume}, is not what was signed for. It is not there any more, and its tenant is.`,
  )
})

test('what a server ships verifies as a whole, by the command, and a line left out or changed is told', async () => {
  const lines = readFileSync(checkpointFileOf(server.folder), 'utf8').split('\n').filter(Boolean)
  const keys = join(server.folder, 'jwks.json')
  writeFileSync(keys, await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text())
  const env = childEnvironment(server.folder)
  const verified = async (kept: readonly string[]) => {
    const file = join(server.folder, 'some.jsonl')
    writeFileSync(file, `${kept.join('\n')}\n`)
    return runTenure(['verify-checkpoints', file, '--keys', keys], env)
  }
  expect(await verified(['a line of a log', ...lines])).toMatchObject({ code: 0, stderr: '' })
  const missing = await verified(lines.filter((_, at) => at !== 1))
  expect(missing).toMatchObject({ code: 1, stdout: expect.stringContaining('Checkpoint 2 is missing.') })
  const changed = await verified(lines.map((line, at) => (at === 1 ? line.replace(/.{8}"\}\}$/, 'AAAAAAAA"}}') : line)))
  expect(changed).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/Line 2 of .* is not what any of these keys/),
  })
})
