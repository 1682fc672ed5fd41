import { expect, test } from 'vitest'
import { createForgedRows } from '../../src/forged-rows.ts'
import { type LogFields, silentLog } from '../../src/observe/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'

const row = (id: string) => ({ table: 'memberships', tenantId: 'acme', id })

function open() {
  const clock = { at: 0, nowMs: () => 0, monotonicMs: () => clock.at }
  const logged: LogFields[] = []
  const metrics = createMetrics()
  const log = { ...silentLog, error: (fields: LogFields) => void logged.push(fields) }
  return { clock, logged, metrics, ...createForgedRows({ clock, log, metrics }) }
}

test('a row that is read a thousand times is told of once, and counted each time', async () => {
  const { forged, logged, metrics, clock } = open()
  for (let read = 0; read < 1_000; read += 1) forged(row('one'))
  expect(logged).toEqual([row('one')])
  expect(await metrics.text()).toContain('tenure_row_code_failures_total{table="memberships"} 1000')
  clock.at += 10 * 60_000
  forged(row('one'))
  expect(logged).toEqual([row('one'), row('one')])
})

test('of very many at once some are told of, and one line says that there are more', () => {
  const { forged, logged, clock } = open()
  for (let id = 0; id < 5_000; id += 1) forged(row(String(id)))
  expect(logged).toHaveLength(21)
  expect(logged.at(-1)).toEqual({})
  clock.at += 60_000
  forged(row('4999'))
  expect(logged.at(-1)).toEqual(row('4999'))
})

test('who listens late hears of those from before, and each once', () => {
  const { forged, onForgedRow } = open()
  forged(row('early'))
  const heard: string[] = []
  onForgedRow(({ id }) => heard.push(id))
  forged(row('early'))
  forged(row('late'))
  expect(heard).toEqual(['early', 'late'])
})
