import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { silentLog } from '../../src/observe/log.ts'
import { openPlatform } from '../../src/platform.ts'
import { createRuntime } from '../../src/server.ts'
import { openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { forgetCodes } from '../support/forget-codes.ts'
import { reasonOf } from '../support/reason.ts'
import { codesOf } from '../support/row-code-checks.ts'
import { openSideDoor } from '../support/side-door.ts'
import { mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer, testConfig } from '../support/test-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-lock-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a start that has lost its turn gives no row the code of a key that is not kept', async () => {
  const before = await startTestServer({ folder })
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await forgetCodes(before, rows)

  await using network = await openFaultProxy(mysqlAdministrator())
  const url = new URL(before.databaseUrl)
  url.host = `${network.host}:${network.port}`
  const config = testConfig(folder, { TENURE_REPLICA: 'slow', TENURE_DATABASE_URL: url.href })
  const begun = Promise.withResolvers<void>()
  let held = false
  const runtime = createRuntime(config, {
    log: silentLog,
    observeStatement(sql) {
      if (held || !sql.startsWith('UPDATE `users` SET `row_code`')) return
      held = true
      network.hold(true)
      begun.resolve()
    },
  })
  const slow = openPlatform(config, runtime).then(
    async (platform) => {
      await platform[Symbol.asyncDispose]()
      return 'started'
    },
    (error: unknown) => String(error),
  )
  await begun.promise
  // Somebody ends the connection that holds the turn: the database was restarted, or the server slept too long.
  const digest = createHash('sha256')
    .update(`${url.pathname.slice(1)}/start`)
    .digest('hex')
  const [turn] = await rows.all('SELECT IS_USED_LOCK(?) AS holder', [`tenure:${digest.slice(0, 48)}`])
  await rows.run(`KILL ${Number(turn?.holder)}`)
  {
    await using quick = await startTestServer({ folder, env: { TENURE_REPLICA: 'quick' } })
    expect(await reasonOf(quick.client(TenantService, acme.ownerKey).getTenant({ name: acme.name }))).toBe('OK')
    network.hold(false)
    expect(await slow).toContain('TenureError')
  }
  await using after = await startTestServer({ folder, env: { TENURE_REPLICA: 'after' } })
  expect((await codesOf(after)).forged).toEqual([])
  expect(await reasonOf(after.client(TenantService, acme.ownerKey).getTenant({ name: acme.name }))).toBe('OK')
}, 90_000)
