import { expect, test } from 'vitest'
import { runProbe } from '../../src/assurance/isolation/probe.ts'
import { ownershipProbe, referencesProbe } from '../../src/assurance/isolation/rows-probe.ts'
import { systemClock } from '../../src/base/clock.ts'
import { cellTables } from '../../src/tables.ts'
import { createRowSurvey, type TenantSlice } from '../../src/tenancy/row-survey.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer } from '../support/test-server.ts'

test('a look that takes the tenants two at a time finds what is wrong in each slice, and before the first tenant and beyond the last', async () => {
  await using server = await startTestServer()
  await using rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  const tenants: TenantFixture[] = []
  for (const slug of ['one', 'two', 'three', 'four', 'five']) tenants.push(await seedTenant(server, slug))
  const { storage, capabilities } = server.server.platform
  const survey = createRowSurvey(storage.cell, capabilities['isolation-survey'], 2)
  const slices: TenantSlice[] = []
  for await (const slice of survey.slices()) slices.push(slice)
  expect(slices).toHaveLength(3)
  expect(slices.map(({ from }) => from).slice(1)).toEqual(slices.map(({ to }) => to).slice(0, -1))

  const look = async () => {
    const nobody = async () => new Set<string>()
    const probes = [ownershipProbe(survey, cellTables, nobody), referencesProbe(survey, nobody)]
    const results = []
    for (const probe of probes)
      results.push(
        await runProbe(
          probe,
          systemClock,
          async () => undefined,
          (_, error) => Promise.reject(error),
        ),
      )
    return results.flatMap(({ findings }) => findings.map(({ kind, tenantUid }) => `${kind} ${tenantUid}`))
  }
  expect(await look()).toEqual([])
  const [first, , third, , last] = tenants.map(({ uid }) => uid)
  const absent = 'ffffffff-0000-7000-8000-000000000000'
  await rows.run('DELETE FROM users WHERE tenant_id = ? AND slug = ?', [first ?? '', 'alice'])
  await rows.run('DELETE FROM workspaces WHERE tenant_id = ? AND slug = ?', [third ?? '', 'prod'])
  await rows.run('DELETE FROM secrets WHERE tenant_id = ?', [last ?? ''])
  await rows.run('UPDATE users SET tenant_id = ? WHERE tenant_id = ? AND slug = ?', [absent, third ?? '', 'bob'])
  await rows.run('UPDATE users SET tenant_id = ? WHERE tenant_id = ? AND slug = ?', ['', last ?? '', 'bob'])
  const found = new Set(await look())
  expect(found).toContain(`orphan-reference ${first}`)
  expect(found).toContain(`workspaceless-row ${third}`)
  expect(found).toContain(`orphan-reference ${last}`)
  expect(found).toContain(`tenantless-row ${absent}`)
  expect(found).toContain('tenantless-row ')
})
