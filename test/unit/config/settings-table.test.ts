import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { settingsTable } from '../../../src/config/settings-table.ts'

const page = new URL('../../../docs/settings.md', import.meta.url)
const begin = '<!-- settings: generated from src/config/settings.ts -->\n'
const end = '<!-- settings: end -->\n'

test('docs/settings.md shows the settings there are; UPDATE_DOCS=1 rewrites it', () => {
  const text = readFileSync(page, 'utf8')
  const [before, rest] = split(text, begin)
  const [table, after] = split(rest, end)
  if (process.env.UPDATE_DOCS === '1') {
    writeFileSync(page, `${before}${begin}\n${settingsTable()}\n${end}${after}`)
    return
  }
  expect(table).toBe(`\n${settingsTable()}\n`)
})

function split(text: string, marker: string): [string, string] {
  const parts = text.split(marker)
  const [before, after] = parts
  if (parts.length !== 2 || before === undefined || after === undefined) {
    throw new Error(`docs/settings.md must hold this line once: ${marker}`)
  }
  return [before, after]
}
