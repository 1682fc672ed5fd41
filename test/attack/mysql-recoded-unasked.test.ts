import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { childEnvironment, runTenure } from '../support/child-server.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer } from '../support/test-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-unasked-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** In the order a start walks through them. */
const coded =
  'tenant_placements permissions platform_service_accounts platform_api_keys users service_accounts memberships roles api_keys'.split(
    ' ',
  )

test('rows that come back while a start believes that there are none are given no codes', async () => {
  const server = await startTestServer({ folder })
  await seedPermissions(server)
  await seedTenant(server, 'acme')
  await server.stop()
  const database = new URL(server.databaseUrl).pathname.slice(1)
  const thief = await createConnection({ ...mysqlAdministrator(), database, dateStrings: true })
  const holder = await createConnection({ ...mysqlAdministrator(), database })
  try {
    const all = async (sql: string, values: string[] = []) => (await thief.query<RowDataPacket[]>(sql, values))[0]
    const kept = new Map<string, RowDataPacket[]>()
    for (const table of coded) {
      kept.set(table, await all(`SELECT * FROM ${table}`))
      await thief.query(`DELETE FROM ${table}`)
    }
    await thief.query("DELETE FROM sealed_keys WHERE key_name = 'row-code'")
    // The start finds every other table empty, and waits at the last one.
    await holder.query('LOCK TABLES api_keys WRITE')
    const starting = runTenure(['bootstrap'], childEnvironment(folder))
    const waiting = 'SELECT 1 FROM information_schema.processlist WHERE DB = ? AND STATE LIKE ?'
    await expect.poll(() => all(waiting, [database, '%metadata lock%']), { timeout: 30_000 }).not.toEqual([])
    for (const [table, rows] of kept) {
      if (table !== 'api_keys') for (const row of rows) await thief.query(`INSERT INTO ${table} SET ?`, [row])
    }
    await holder.query('UNLOCK TABLES')
    await starting
    expect((await all("SELECT key_name FROM sealed_keys WHERE key_name = 'row-code'")).length).toBe(1)
    // What the new key makes is another code: none of these is one of its own.
    const codes = (rows: RowDataPacket[] | undefined) => rows?.map(({ row_code: code }) => String(code)).sort()
    for (const table of ['users', 'memberships', 'roles'])
      expect(codes(await all(`SELECT row_code FROM ${table}`)), table).toEqual(codes(kept.get(table)))
  } finally {
    await Promise.all([thief.end(), holder.end()])
  }
}, 120_000)
