import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditEvent } from '../../src/gen/tenure/v1/audit_event_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { type ChildServer, childEnvironment, endChild, runTenure, startChild } from '../support/child-server.ts'
import { createChance } from '../support/crash-chance.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { type Add, emptyRecord, type Gone, type LoadRecord, startLoad } from './secret-load.ts'

/** Another run by the same seed makes the same calls; where the server dies among them is up to the machine. */
const seed = Number(process.env.TENURE_TEST_SEED ?? Date.now() % 1_000_000)
const rounds = 3
const workers = 32
const prod = 'tenants/acme/workspaces/prod'
const parents = ['one', 'two', 'three'].map((id) => `${prod}/secrets/${id}`)

let folder: string
let env: NodeJS.ProcessEnv
let child: ChildServer
let rows: SideDoor
let workspaceUid: string
let record: LoadRecord

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-secret-crash-'))
  env = childEnvironment(folder)
  expect((await runTenure(['bootstrap'], env)).stderr).toBe('')
  child = await startChild(env)
  await createClient(TenantService, transport()).createTenant({ tenantId: 'acme' })
  const workspaces = createClient(WorkspaceService, transport())
  const { workspace } = await workspaces.createWorkspace({ parent: 'tenants/acme', workspaceId: 'prod' })
  workspaceUid = workspace?.uid ?? ''
  for (const parent of parents) {
    await secrets().createSecret({ parent: prod, secretId: parent.split('/').at(-1) ?? '' })
  }
  rows = await openSideDoor(env.TENURE_DATABASE_URL ?? '')
  record = emptyRecord(parents)
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await endChild(child, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function transport(): Transport {
  const key = readFileSync(join(folder, 'root-api-key'), 'utf8').trim()
  return createConnectTransport({
    baseUrl: child.httpUrl,
    httpVersion: '1.1',
    interceptors: [
      (next) => (request) => {
        request.header.set('authorization', `Bearer ${key}`)
        return next(request)
      },
    ],
  })
}

const secrets = () => createClient(SecretService, transport())

/** Kills the server while calls are under way, and starts it again. Answers how many calls it had acknowledged. */
async function killUnderLoad(round: number): Promise<number> {
  const chance = createChance(seed, round)
  const enough = 100 + chance.below(200)
  const load = startLoad(transport(), record, chance, workers)
  while (load.acknowledged() < enough) await sleep(1)
  await endChild(child, 'SIGKILL')
  await load.stop()
  child = await startChild(env)
  return load.acknowledged()
}

interface StoredVersion {
  readonly name: string
  readonly number: number
  readonly state: string
  readonly sealed: boolean
}

async function storedVersions(): Promise<StoredVersion[]> {
  const sql = `SELECT s.slug, v.number, v.state, v.envelope FROM secret_versions v
    JOIN secrets s ON s.secret_id = v.secret_id ORDER BY s.slug, v.number`
  return (await rows.all(sql)).map(({ slug, number, state, envelope }) => ({
    name: `${prod}/secrets/${slug}/versions/${number}`,
    number: Number(number),
    state: String(state),
    sealed: envelope !== null,
  }))
}

const versionsOf = (parent: string, stored: readonly StoredVersion[]) =>
  stored.filter(({ name }) => name.startsWith(`${parent}/versions/`))

async function eventsOf(event: string): Promise<AuditEvent[]> {
  const audit = createClient(AuditService, transport())
  const events: AuditEvent[] = []
  let pageToken = ''
  do {
    const filter = `event = "${event}"`
    const page = await audit.listAuditEvents({ parent: 'tenants/acme', filter, pageSize: 1_000, pageToken })
    events.push(...page.auditEvents)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return events
}

/** Whatever the crash did not let be answered is asked again, by the same request ids. */
async function repeatUnanswered(): Promise<void> {
  for (const add of record.adds) {
    if (add.answer !== undefined) continue
    const { parent, payload, requestId } = add
    add.answer = await secrets().addSecretVersion({ parent, payload, requestId })
  }
  for (const gone of record.destroyed.filter(({ acknowledged }) => !acknowledged)) {
    await secrets().destroySecretVersion({ name: gone.name, requestId: gone.requestId })
    gone.acknowledged = true
  }
}

async function expectAcknowledgedKept(): Promise<void> {
  const stored = new Map((await storedVersions()).map((version) => [version.name, version]))
  const lost = record.adds.filter(({ answer }) => answer !== undefined && !stored.has(nameOf(answer)))
  expect(lost).toEqual([])
  const back = record.destroyed.filter(({ name, acknowledged }) => acknowledged && stored.get(name)?.sealed !== false)
  expect(back).toEqual([])
  const goners = record.deleted.filter(({ acknowledged }) => acknowledged)
  for (const { name } of goners) expect([...stored.keys()].filter((held) => held.startsWith(`${name}/`))).toEqual([])
}

function nameOf(answer: Add['answer']): string {
  return answer?.secretVersion?.name ?? ''
}

async function expectNoneDoubled(): Promise<void> {
  const answered = record.adds.filter(({ answer }) => answer !== undefined)
  // As good as a repeat by a caller who never heard the answer.
  for (const { parent, payload, requestId, answer } of answered.slice(-25)) {
    expect(await secrets().addSecretVersion({ parent, payload, requestId })).toEqual(answer)
  }
  const stored = await storedVersions()
  for (const parent of parents) {
    const wanted = record.adds.filter((add) => add.parent === parent)
    const numbers = versionsOf(parent, stored).map(({ number }) => number)
    expect(numbers).toEqual(Array.from({ length: wanted.length }, (_, at) => at + 1))
    const { secret } = await secrets().getSecret({ name: parent })
    expect([secret?.latestVersion, secret?.versionCount]).toEqual([BigInt(wanted.length), BigInt(wanted.length)])
  }
  expect(new Set(answered.map(({ answer }) => nameOf(answer))).size).toBe(record.adds.length)
}

async function expectValuesOpen(adds: readonly Add[]): Promise<void> {
  const destroyed = new Set(record.destroyed.map(({ name }) => name))
  const open = async ({ payload, answer }: Add) => {
    const found = await secrets().accessSecretVersion({ name: nameOf(answer) })
    return payload.equals(found.payload) ? [] : [nameOf(answer)]
  }
  const wrong = adds.filter(({ answer }) => !destroyed.has(nameOf(answer))).map(open)
  expect((await Promise.all(wrong)).flat()).toEqual([])
}

async function expectAccountable(): Promise<void> {
  const perCall = new Map<string, AuditEvent[]>()
  for (const event of await eventsOf('secrets.access')) {
    perCall.set(event.requestId, [...(perCall.get(event.requestId) ?? []), event])
  }
  const unseen = record.had.filter(
    ({ name, callId }) => perCall.get(callId)?.some(({ target }) => target === name) !== true,
  )
  expect(unseen).toEqual([])
  expect([...perCall.values()].filter((events) => events.length > 1)).toEqual([])
  const added = (await eventsOf('secrets.addVersion')).map(({ target }) => target)
  const stored = (await storedVersions()).map(({ name }) => name)
  const ofGoners = (target: string) => target.includes('/secrets/goner-')
  expect(added.filter((target) => !ofGoners(target)).sort()).toEqual(stored.filter((name) => !ofGoners(name)).sort())
}

async function expectChainsVerify(): Promise<void> {
  const audit = createClient(AuditService, transport())
  for (const chain of ['authority', `workspace/${workspaceUid}`, 'access/replica-1']) {
    const { valid, verifiedCount } = await audit.verifyAuditChain({ parent: 'tenants/acme', chain })
    const [kept] = await rows.all(
      'SELECT count(*) AS n, max(sequence) AS last FROM journal WHERE tenant_id = (SELECT tenant_id FROM tenant_heads) AND chain = ?',
      [chain],
    )
    expect([chain, valid, kept?.last]).toEqual([chain, true, kept?.n])
    expect(verifiedCount).toBeGreaterThan(0n)
  }
}

test('kill -9 under secrets: no acknowledged value is lost, none is made twice, each opens, each that was had is written down', async () => {
  process.stdout.write(`TENURE_TEST_SEED=${seed}\n`)
  for (let round = 0; round < rounds; round += 1) {
    const before = record.adds.length
    expect(await killUnderLoad(round)).toBeGreaterThan(0)
    expect(record.adds.length).toBeGreaterThan(before)
    expect(record.wrong).toEqual([])
    await expectAcknowledgedKept()
    await expectChainsVerify()
    await repeatUnanswered()
    await expectValuesOpen(record.adds.slice(before))
  }
  await expectAccountable()
  await expectNoneDoubled()
  expect(record.had.length).toBeGreaterThan(20)
}, 120_000)

test('what was destroyed or deleted before a crash stays so after it', async () => {
  const acknowledged = ({ acknowledged: isGone }: Gone) => isGone
  expect(record.destroyed.filter(acknowledged).length).toBeGreaterThan(3)
  expect(record.deleted.filter(acknowledged).length).toBeGreaterThan(1)
  for (const { name } of record.destroyed.filter(acknowledged).slice(-10)) {
    expect(await reasonOf(secrets().accessSecretVersion({ name }))).toBe('INVALID_STATE')
  }
  for (const { name } of record.deleted.filter(acknowledged)) {
    expect(await reasonOf(secrets().accessSecretVersion({ name: `${name}/versions/1` }))).toBe('NOT_FOUND')
    const secretId = name.split('/').at(-1) ?? ''
    expect(await reasonOf(secrets().createSecret({ parent: prod, secretId }))).toBe('NAME_RETIRED')
  }
})
