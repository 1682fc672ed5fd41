import type { Migration } from './migration.ts'

const tables = ['operations', 'platform_operations']

/** Codes on what servers do in somebody's name later on. Operations that are there get theirs at the next start. */
export const operationCodes: Migration = {
  number: 12,
  name: 'operation-codes',
  role: 'both',
  sqlite: tables.map((table) => `ALTER TABLE ${table} ADD COLUMN row_code blob NULL`),
  mysql: tables.map((table) => `ALTER TABLE ${table} ADD COLUMN row_code binary(32) NULL`),
}
