import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toJson, toJsonString } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { DiagnosticsService, GetIsolationReportResponseSchema } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import {
  type IsolationReport,
  IsolationReport_Outcome,
  IsolationReportSchema,
} from '../../src/gen/tenure/v1/isolation_report_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { Tenant_SuspensionMode } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { ended, metadataOf, responseOf } from '../support/operation.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture
let globex: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

async function look(): Promise<IsolationReport> {
  const { operation } = await server.client(DiagnosticsService).diagnoseIsolation({})
  const last = await ended(server.client(Operations), operation)
  expect(metadataOf(last)).toMatchObject({ kind: 'diagnostics.diagnoseIsolation' })
  return responseOf(last, IsolationReportSchema)
}

test('an installation that nobody touched passes every probe, and the canaries sing', async () => {
  for (let time = 0; time < 2; time += 1) {
    const report = await look()
    const bad = report.probes.filter(({ outcome }) => outcome !== IsolationReport_Outcome.PASSED)
    expect(bad).toEqual([])
    expect(report.outcome).toBe(IsolationReport_Outcome.PASSED)
    expect(report.probes.filter(({ checkedCount }) => checkedCount === 0n)).toEqual([])
  }
  expect([acme.uid, globex.uid]).not.toContain('')
})

function verify(file: string, keys: string): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['src/main.ts', 'verify-report', file, '--keys', keys], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  child.stderr.on('data', (part: Buffer) => err.push(part))
  return new Promise((resolve) => {
    child.on('close', (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    )
  })
}

test('a report is listed, answered whole, and verified offline; one that was changed is not', async () => {
  const client = server.client(DiagnosticsService)
  const { isolationReports } = await client.listIsolationReports({ filter: 'outcome = PASSED' })
  expect(isolationReports).toHaveLength(2)
  expect(isolationReports[0]?.signedReport).toBe('')
  const { isolationReport } = await client.getIsolationReport({ name: isolationReports[0]?.name ?? '' })
  if (isolationReport === undefined) throw new Error('there is no report')
  const [file, changed, keys] = ['report.json', 'changed.json', 'jwks.json'].map((name) =>
    join(server.folder, name),
  ) as [string, string, string]
  writeFileSync(file, toJsonString(IsolationReportSchema, isolationReport))
  writeFileSync(keys, await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text())
  const good = await verify(file, keys)
  expect(good).toMatchObject({ code: 0, err: '' })
  expect(good.out).toContain(`${isolationReport.name}: PASSED`)
  expect(good.out).toMatch(/canaries +PASSED +\d+ +0/)
  expect(await verify(file, `${server.httpUrl}/.well-known/jwks.json`)).toMatchObject({ code: 0 })
  const [head = '', payload = '', signature = ''] = isolationReport.signedReport.split('.')
  const forged = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('PASSED', 'FAILED')).toString(
    'base64url',
  )
  writeFileSync(changed, [head, forged, signature].join('.'))
  expect(await verify(changed, keys)).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/changed/) })
  expect((await verify(file, file)).err).toMatch(/no JWK set/)
})

test('a report whose readable part says something else than what is signed is refused, naming what', async () => {
  const client = server.client(DiagnosticsService)
  const { isolationReports } = await client.listIsolationReports({ filter: 'outcome = PASSED' })
  const answer = await client.getIsolationReport({ name: isolationReports[0]?.name ?? '' })
  const [file, keys] = [join(server.folder, 'edited.json'), join(server.folder, 'jwks.json')]
  const json = () => toJson(GetIsolationReportResponseSchema, answer) as { isolationReport: Record<string, unknown> }
  const verdictOf = async (edit: (report: Record<string, unknown>) => unknown) => {
    const edited = json()
    edit(edited.isolationReport)
    writeFileSync(file, JSON.stringify(edited))
    return verify(file, keys)
  }
  expect(await verdictOf(() => undefined)).toMatchObject({ code: 0, err: '' })
  const edits: readonly (readonly [string, (report: Record<string, unknown>) => unknown])[] = [
    ['outcome', (report) => Object.assign(report, { outcome: 'OUTCOME_FAILED' })],
    ['probes', (report) => Object.assign((report.probes as object[])[2] ?? {}, { findingCount: '7' })],
    ['probes', (report) => (report.probes as object[]).pop()],
    ['tenant_count', (report) => delete report.tenantCount],
    ['create_time', (report) => Object.assign(report, { createTime: '2020-01-01T00:00:00Z' })],
  ]
  for (const [field, edit] of edits) {
    const refused = await verdictOf(edit)
    expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining(`it differs in ${field}.`) })
  }
})

test('a tenant learns nothing of the reports of the platform', async () => {
  const own = server.client(DiagnosticsService, acme.ownerKey)
  expect(await reasonOf(own.diagnoseIsolation({}))).toBe('PERMISSION_MISSING')
  expect(await reasonOf(own.listIsolationReports({}))).toBe('PERMISSION_MISSING')
})

test('nobody takes the names of the canaries', async () => {
  const { createTenant } = server.client(TenantService)
  expect(await reasonOf(createTenant({ tenantId: 'tenure-canary-a' }))).toBe('INVALID_FIELD')
})

test('nobody changes anything in them either, so that they go on singing', async () => {
  const [name, keeper] = ['tenants/tenure-canary-a', 'serviceAccounts/isolation-canary']
  const tenants = server.client(TenantService)
  const workspaces = server.client(WorkspaceService)
  const refused = [
    tenants.deleteTenant({ name, force: true }),
    tenants.suspendTenant({ name, mode: Tenant_SuspensionMode.FULL }),
    tenants.updateTenant({ tenant: { name, displayName: 'Mine' } }),
    tenants.purgeTenant({ name }),
    workspaces.archiveWorkspace({ name: `${name}/workspaces/perch` }),
    workspaces.deleteWorkspace({ name: `${name}/workspaces/perch` }),
    server.client(MembershipService).deleteMembership({ name: `${name}/memberships/canary` }),
    server.client(SecretService).deleteSecret({ name: `${name}/workspaces/perch/secrets/song` }),
    // Nor takes the account that may: its keys live in the memory of a look.
    server.client(ApiKeyService).createApiKey({ apiKey: { owner: { case: 'serviceAccount', value: keeper } } }),
    server.client(ServiceAccountService).deleteServiceAccount({ name: keeper, force: true }),
    server.client(ServiceAccountService).disableServiceAccount({ name: keeper }),
  ]
  expect(new Set(await Promise.all(refused.map(reasonOf)))).toEqual(new Set(['SYSTEM_RESOURCE']))
  expect((await tenants.getTenant({ name })).tenant?.displayName).toBe('marker-of-tenure-canary-a')
})

test('the metric says when the last look passed', async () => {
  const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text()
  const seconds = Number(/^tenure_isolation_last_success_timestamp_seconds (\S+)$/m.exec(metrics)?.[1])
  expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(120)
  expect(metrics).toContain('tenure_isolation_findings{probe="canaries"} 0')
})
