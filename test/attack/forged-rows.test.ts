import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { platformTenantId, type TenantId } from '../../src/base/ids.ts'
import { type Log, type LogFields, silentLog } from '../../src/observe/log.ts'
import { type AlertReceiver, startAlertReceiver } from '../support/alert-receiver.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { forgeries } from '../support/forgeries.ts'
import type { ForgeryWorld, Planted } from '../support/forgery.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What a thief gets who can write the database and cannot open the keyring: nothing.

interface Told {
  readonly fields: LogFields
  readonly text: string
}

function listen(told: Told[]): Log {
  return { ...silentLog, error: (fields: LogFields, text: string) => void told.push({ fields, text }) } as Log
}

let hook: AlertReceiver
let server: TestServer
let rows: SideDoor
let world: ForgeryWorld
const env = () => ({ TENURE_ALERT_URL: hook.url })
const planted: (Planted & { readonly name: string; readonly table: string; id: string })[] = []
const told: Told[] = []

beforeAll(async () => {
  hook = await startAlertReceiver()
  server = await startTestServer({ env: env(), log: listen(told) })
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  const [acme, globex] = [await seedTenant(server, 'acme'), await seedTenant(server, 'globex')]
  world = { server, rows, acme, globex }
  for (const { name, table, prepare } of forgeries) {
    const prepared = await prepare(world)
    expect(await prepared.hasPower(server), `${name}, before it is forged`).toBe(false)
    planted.push({ ...prepared, name, table, id: '' })
  }
  for (const each of planted) each.id = await each.plant()
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await hook[Symbol.asyncDispose]()
})

function everyForgery(running: () => TestServer, heard: () => readonly Told[]): void {
  test.each(forgeries)('$name: gives nothing, and is told of', async ({ name }) => {
    const forged = planted.find((each) => each.name === name)
    if (forged === undefined) throw new Error('it was not planted')
    expect(await forged.hasPower(running())).toBe(false)
    const ofRow = heard().filter(({ fields }) => fields.id === forged.id)
    const tenantId = forged.table.startsWith('platform_') ? platformTenantId : world.acme.uid
    const fields = { table: forged.table, tenantId, id: forged.id }
    const text = 'a row that grants power was not written by this installation; it grants nothing'
    expect(ofRow).toContainEqual({ fields, text })
    expect(new Set(ofRow.map((each) => JSON.stringify(each))).size).toBe(1)
  })

  test('who had power honestly still has it', async () => {
    const honest = [world.acme.ownerKey, world.acme.prodKey, world.acme.adminKey, world.globex.ownerKey]
    const names = [world.acme.name, `${world.acme.name}/workspaces/prod`, world.acme.name, world.globex.name]
    for (const [at, key] of honest.entries()) {
      const call = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
      const method = names[at]?.includes('/workspaces/') ? 'WorkspaceService/GetWorkspace' : 'TenantService/GetTenant'
      const url = `${running().httpUrl}/tenure.v1.${method}`
      const answer = await fetch(url, { method: 'POST', headers: call, body: JSON.stringify({ name: names[at] }) })
      expect(answer.status, await answer.text()).toBe(200)
    }
  })
}

describe('a running server that reads the tenant again', () => {
  beforeAll(() => {
    const { engines } = server.server.platform
    engines.tenants.drop(world.acme.uid as TenantId)
    engines.platform.drop(platformTenantId)
  })
  everyForgery(
    () => server,
    () => told,
  )

  test('the metric counts them, and the alert names each once', async () => {
    const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text()
    for (const table of new Set(forgeries.map((each) => each.table))) {
      expect(metrics).toMatch(new RegExp(`tenure_row_code_failures_total\\{table="${table}"\\} [1-9]`))
    }
    const named = () => hook.alerts.filter(({ type }) => type === 'row.forged').map(({ data }) => data.row)
    for (let tried = 0; tried < 100 && named().length < planted.length; tried += 1) await sleep(50)
    expect(
      named()
        .filter((id) => planted.some((each) => each.id === id))
        .sort(),
    ).toEqual(planted.map(({ id }) => id).sort())
    const one = hook.alerts.find(({ data }) => data.row === planted[0]?.id)
    expect(one?.data).toEqual({ table: 'memberships', tenant_uid: world.acme.uid, row: planted[0]?.id })
  })

  test('however often it reads them, they are logged once', async () => {
    const before = told.length
    for (let read = 0; read < 20; read += 1) {
      server.server.platform.engines.tenants.drop(world.acme.uid as TenantId)
      await server.server.platform.engines.of(world.acme.uid as TenantId)
    }
    expect(told.length).toBe(before)
  })
})

describe('a server that is started', () => {
  const heard: Told[] = []
  let restarted: TestServer
  beforeAll(async () => {
    await server.stop()
    restarted = await startTestServer({ folder: server.folder, env: env(), log: listen(heard) })
  })
  afterAll(() => restarted[Symbol.asyncDispose]())
  everyForgery(
    () => restarted,
    () => heard,
  )
})
