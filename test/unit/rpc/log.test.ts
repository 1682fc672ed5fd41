import { expect, test } from 'vitest'
import { createLog, secretFields } from '../../../src/observe/log.ts'

function lines() {
  const written: string[] = []
  return { written, log: createLog({ level: 'debug', destination: { write: (line) => void written.push(line) } }) }
}

test('tenant and workspace are on every line of a placed log', () => {
  const { written, log } = lines()
  const placed = log.withPlace('acme', 'prod')
  placed.info({ a: 1 }, 'one')
  placed.with({ b: 2 }).error({}, 'two')
  for (const line of written) expect(JSON.parse(line)).toMatchObject({ tenant: 'acme', workspace: 'prod' })
  expect(written).toHaveLength(2)
})

test('what bears a secret is censored by its name, two levels deep', () => {
  const { written, log } = lines()
  for (const name of secretFields) {
    log.info({ [name]: 'hunter2', request: { [name]: 'hunter2', headers: { [name]: 'hunter2' } } }, 'x')
  }
  expect(written).toHaveLength(secretFields.length)
  expect(written.join('')).not.toContain('hunter2')
})
