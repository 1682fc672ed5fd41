import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { childEnvironment, refusedStart, runTenure } from '../support/child-server.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { forgetAnchor } from '../support/keyring-anchor.ts'
import { reasonOf } from '../support/reason.ts'
import { codesOf } from '../support/row-code-checks.ts'
import { openSideDoor } from '../support/side-door.ts'
import { keyringSettingsOf } from '../support/test-keyring.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-recode-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function seeded(): Promise<{ readonly server: TestServer; reads(server: TestServer): Promise<string> }> {
  const server = await startTestServer({ folder })
  await seedPermissions(server)
  const { name, ownerKey } = await seedTenant(server, 'acme')
  return { server, reads: (running) => reasonOf(running.client(TenantService, ownerKey).getTenant({ name })) }
}

const overwritten =
  /^tenure: The key that rows are coded with was overwritten in the database: .* look at who has power .* run tenure recode\.$/

test.each([
  ['with nonsense', "x'00'"],
  ['with the envelope of another key', "(SELECT envelope FROM sealed_keys WHERE key_name = 'page-token')"],
])(
  'a key of the codes that was overwritten %s stops a start, and recode makes a new one',
  async (_how, instead) => {
    const { server, reads } = await seeded()
    await server.stop()
    await using rows = await openSideDoor(server.databaseUrl)
    await rows.run(`UPDATE sealed_keys SET envelope = (SELECT * FROM (SELECT ${instead}) AS other)
    WHERE key_name = 'row-code'`)
    const env = childEnvironment(folder)
    for (const command of ['serve', 'bootstrap', 'restored'])
      expect(await refusedStart(env, [command])).toMatch(overwritten)
    expect(await runTenure(['recode'], env)).toMatchObject({
      ...{ code: 0, stderr: '' },
      stdout: expect.stringMatching(/^\d+ rows that grant power have new codes/),
    })
    expect((await runTenure(['recode'], env)).stdout).toBe('The key of the codes is there. Nothing was changed.\n')
    await using after = await startTestServer({ folder })
    expect(await reads(after)).toBe('OK')
    expect((await codesOf(after)).forged).toEqual([])
  },
  120_000,
)

test('with a keyring that never had a key of codes nothing is replaced: it is another keyring', async () => {
  const { server, reads } = await seeded()
  await server.stop()
  await using rows = await openSideDoor(server.databaseUrl)
  const [stored] = await rows.all("SELECT envelope FROM sealed_keys WHERE key_name = 'row-code'")
  await rows.run("UPDATE sealed_keys SET envelope = x'00' WHERE key_name = 'row-code'")
  await forgetAnchor(server.config)
  const env = childEnvironment(folder)
  expect(await refusedStart(env, ['recode'])).toMatch(/^tenure: The keyring is not the one this database was made with/)
  await rows.run("UPDATE sealed_keys SET envelope = ? WHERE key_name = 'row-code'", [stored?.envelope as Uint8Array])
  await using after = await startTestServer({ folder })
  expect(await reads(after)).toBe('OK')
}, 120_000)

test('with the keyring of another installation, which has a key of codes of its own, nothing is replaced either', async () => {
  const { server, reads } = await seeded()
  await server.stop()
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  await using other = await startTestServer({ folder: elsewhere })
  const env = childEnvironment(folder, keyringSettingsOf(elsewhere))
  await using rows = await openSideDoor(server.databaseUrl)
  const stored = () => rows.all('SELECT key_name, envelope FROM sealed_keys ORDER BY key_name')
  const before = await stored()
  const codes = await rows.all('SELECT row_code FROM memberships')
  for (const gone of [false, true]) {
    if (gone) await rows.run("DELETE FROM sealed_keys WHERE key_name = 'row-code'")
    for (const command of ['serve', 'recode'])
      expect(await refusedStart(env, [command])).toMatch(/^tenure: The keyring is not the one this database was made/)
  }
  expect(await stored()).toEqual(before.filter((each) => each.key_name !== 'row-code'))
  expect(await rows.all('SELECT row_code FROM memberships')).toEqual(codes)
  const [kept] = before.filter((each) => each.key_name === 'row-code')
  await rows.run(
    "INSERT INTO sealed_keys (key_name, envelope, create_time) VALUES ('row-code', ?, '2026-01-01 00:00:00.000')",
    [kept?.envelope as Uint8Array],
  )
  await using after = await startTestServer({ folder })
  expect(await reads(after)).toBe('OK')
  await other.stop()
}, 120_000)

test('beside a server that runs nothing is recoded: it would go on with the old key', async () => {
  const { server, reads } = await seeded()
  await using rows = await openSideDoor(server.databaseUrl)
  await rows.run("UPDATE sealed_keys SET envelope = x'00' WHERE key_name = 'row-code'")
  const before = await rows.all('SELECT row_code FROM memberships')
  expect(await refusedStart(childEnvironment(folder), ['recode'])).toMatch(
    server.databaseUrl.startsWith('sqlite:')
      ? /^tenure: Another Tenure process uses this database /
      : /^tenure: Servers run on this database: .+\. Stop them, and run tenure recode again\.$/,
  )
  expect(await rows.all('SELECT row_code FROM memberships')).toEqual(before)
  expect(await reads(server)).toBe('OK')
  await server.stop()
  expect((await runTenure(['recode'], childEnvironment(folder))).stdout).toMatch(/rows that grant power have new codes/)
  await using after = await startTestServer({ folder })
  expect(await reads(after)).toBe('OK')
}, 120_000)
