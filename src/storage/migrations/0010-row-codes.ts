import type { Migration } from './migration.ts'

const tables = [
  'users',
  'service_accounts',
  'memberships',
  'roles',
  'api_keys',
  'platform_service_accounts',
  'platform_api_keys',
  'permissions',
  'tenant_placements',
]

/** Codes on the rows that grant power. Those that are there get theirs at the next start. */
export const rowCodes: Migration = {
  number: 10,
  name: 'row-codes',
  role: 'both',
  sqlite: tables.map((table) => `ALTER TABLE ${table} ADD COLUMN row_code blob NULL`),
  mysql: tables.map((table) => `ALTER TABLE ${table} ADD COLUMN row_code binary(32) NULL`),
}
