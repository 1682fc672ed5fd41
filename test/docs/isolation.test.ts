import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { findingKinds } from '../../src/assurance/isolation-report.ts'
import { createMetrics } from '../../src/observe/metrics.ts'

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

test('docs/isolation.md says what every finding means', () => {
  const stated = [...read('isolation.md').matchAll(/^\| `([a-z-]+)` \| (.+) \|$/gm)].map(([, kind, text]) => [
    kind,
    text,
  ])
  expect(Object.fromEntries(stated)).toMatchObject(findingKinds)
})

test('every alert names a metric that there is, and what to do', async () => {
  const rules = (parse(read('alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)
  const metrics = createMetrics()
  metrics.watchFeedFreshness(() => 0)
  const known = await metrics.text()
  expect(rules.length).toBeGreaterThan(4)
  for (const { alert, expr, annotations } of rules) {
    const named = [...expr.matchAll(/tenure_[a-z_]+/g)].map(([name]) => name)
    expect(named, alert).not.toEqual([])
    for (const name of named) expect(known, alert).toContain(`# TYPE ${name} `)
    expect(annotations.action, alert).toMatch(/\.$/)
  }
})

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly annotations: { readonly action: string }
}
