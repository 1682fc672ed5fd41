import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'

// The tutorial exports the settings of the orders service in the shell that bin/tenure is called from.

const source = readFileSync('examples/orders-service/src/settings.ts', 'utf8')
const names = [...new Set(source.match(/(?<=')[A-Z]+_[A-Z_]+(?=')/g))]

test('a shell that has the settings of the orders service runs bin/tenure as before', () => {
  expect(names.length).toBeGreaterThan(8)
  const readFile = () => Buffer.alloc(0)
  const env = Object.fromEntries(names.map((name) => [name, 'http://127.0.0.1:7081']))
  expect(loadConfig({ env, readFile })).toEqual(loadConfig({ env: {}, readFile }))
  const readme = readFileSync('examples/orders-service/README.md', 'utf8')
  expect(names.filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
})
