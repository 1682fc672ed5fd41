import type { Migration } from './migration.ts'

const tables = ['workspaces', 'tenant_heads']

/** Codes on the rows that say what a name stands for. Those that are there get theirs at the next start. */
export const placeCodes: Migration = {
  number: 11,
  name: 'place-codes',
  role: 'cell',
  sqlite: tables.map((table) => `ALTER TABLE ${table} ADD COLUMN row_code blob NULL`),
  mysql: tables.map((table) => `ALTER TABLE ${table} ADD COLUMN row_code binary(32) NULL`),
}
