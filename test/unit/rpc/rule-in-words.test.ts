import { expect, test } from 'vitest'
import { ruleInWords } from '../../../src/rpc/rule-in-words.ts'

const slug = '[a-z][a-z0-9-]{1,61}[a-z0-9]'

function words(pattern: string, value = 'x'): string {
  return ruleInWords(`does not match regex pattern \`${pattern}\``, value)
}

test('a pattern is told in words, never as itself', () => {
  expect(words(`^${slug}$`)).toBe('must be 3 to 63 of a-z 0-9 -, a letter first, no trailing -')
  expect(words(`^tenants/${slug}$`, '')).toBe('must be set, as tenants/{id}')
  expect(words(`^tenants/${slug}(/workspaces/${slug})?$`)).toBe('must look like tenants/{id}[/workspaces/{id}]')
  expect(words(`^(tenants/${slug}/(workspaces/${slug}/)?)?apiKeys/[0-9a-f-]{36}$`)).toBe(
    'must look like [tenants/{id}/[workspaces/{id}/]]apiKeys/{uuid}',
  )
  expect(words('^([a-z][a-zA-Z0-9]{0,62}\\.[a-z][a-zA-Z0-9]{0,62})?$')).toBe('must look like [{noun.verb}]')
  expect(words('^[^\\x00-\\x1f\\x7f]*$')).toBe('must have no control characters')
  expect(words('^[A-Za-z0-9._:-]*$')).toBe('has characters or a length that are not allowed there')
})

test('a list of numbers is told by the names of the enum', () => {
  const names = ['NONE', 'SOME', 'ALL']
  expect(ruleInWords('must be in list [1, 2]', 0, (number) => names[number] ?? '')).toBe('must be SOME or ALL')
})

test('other rules say it themselves', () => {
  expect(ruleInWords('must be greater than or equal to 0', -1)).toBe('must be greater than or equal to 0')
})
