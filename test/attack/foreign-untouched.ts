import { expect } from 'vitest'
import type { ForeignWorld } from './foreign-world.ts'

/** After many questions of another tenant: nothing of it was changed, and nothing of it was told, logged, counted or audited. */
export async function expectUntouched(world: ForeignWorld, atLeastAsked: number): Promise<void> {
  const { globex, rows, heard, lines, server } = world
  expect(world.asked()).toBeGreaterThan(atLeastAsked)
  expect(await world.isGlobexUntouched()).toBe(true)
  const traces = await world.secretsOfGlobex()
  expect(traces.length).toBeGreaterThan(60)
  expect(heard.size).toBeGreaterThan(10)
  const found = (haystack: Buffer) => traces.filter(({ bytes }) => haystack.includes(bytes)).map(({ what }) => what)
  const answers = Buffer.concat([...heard.values()])
  expect(found(answers)).toEqual([])
  // Acme is named in the log, and what the platform asked about globex with its names; nothing else of globex is.
  expect(lines.length).toBeGreaterThan(100)
  expect(found(Buffer.from(lines.join('\n')))).toEqual([])
  const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text()
  expect(metrics).toMatch(/tenure_access_denials_total/)
  expect(metrics).not.toMatch(/globex|acme/)
  const strangers = await rows.rows(
    "SELECT principal FROM journal WHERE tenant_id = ? AND principal LIKE 'tenants/acme%'",
    globex.uid,
  )
  expect(strangers).toEqual([])
}
