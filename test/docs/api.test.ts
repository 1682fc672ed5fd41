import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { tenureServices } from '../../src/rpc/services.ts'
import { apiPage } from './api-page.ts'

const page = new URL('../../docs/api.md', import.meta.url)

test('docs/api.md is what the protos say; UPDATE_DOCS=1 rewrites it', () => {
  const expected = apiPage()
  if (process.env.UPDATE_DOCS === '1') writeFileSync(page, expected)
  expect(readFileSync(page, 'utf8')).toBe(expected)
})

test('docs/api.md has every method of every service of ours, each with a sentence', () => {
  const text = readFileSync(page, 'utf8')
  const missing = tenureServices
    .filter(({ typeName }) => typeName.startsWith('tenure.'))
    .flatMap(({ methods }) => methods)
    .filter(({ name }) => !new RegExp(`^### ${name}\\n\\n${name} .+\\.`, 'm').test(text))
  expect(missing.map(({ name }) => name)).toEqual([])
})
