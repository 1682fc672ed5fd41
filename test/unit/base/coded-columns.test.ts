import { expect, test } from 'vitest'
import { codedOf } from '../../../src/base/coded-columns.ts'
import { allCellTables, directoryTables } from '../../../src/tables.ts'

const columns = [...allCellTables, ...directoryTables]
  .filter((table) => codedOf(table) !== undefined)
  .flatMap((table) =>
    Object.entries(table.options.columns).flatMap(([name, column]) =>
      column?.type === 'text' && column.transformer !== undefined
        ? [
            {
              name: `${table.options.name}.${name}`,
              from: (column.transformer as { from(text: string): unknown }).from,
            },
          ]
        : [],
    ),
  )

test('of a row that carries a code every column of JSON is read, whatever stands there: one of nonsense takes nothing down', () => {
  expect(columns.map(({ name }) => name)).toContain('tenant_heads.labels')
  for (const { name, from } of columns) {
    for (const text of ['', '[[', '"x', '7', 'null', '"word"', '[1]', '{"a":{}}', '{"a":7,"b":null}']) {
      expect(typeof from(text), `${name} of ${text}`).toBe('object')
    }
  }
})
