import type { TenantTables } from '../sdk/guard/tenant-tables.ts'

export interface PoliciesOptions {
  readonly tables: TenantTables
  readonly sharedTables: readonly string[]
  /** Undefined: that of the search path. */
  readonly schema: string | undefined
  /** What the key columns are: text of any kind, or uuid. */
  readonly keyType: 'text' | 'uuid'
}

/** Of a transaction, by `set_config(…, true)`: what `SET LOCAL` sets, with a value that can be bound. */
const tenantSetting = 'tenure.tenant_id'
const workspaceSetting = 'tenure.workspace_id'

/**
 * Statements that have PostgreSQL itself keep the rows of each tenant apart. Run twice they do the same. A transaction
 * that has not said whose it is sees nothing and writes nothing.
 */
export function postgresPolicies(options: PoliciesOptions): string {
  const { sharedTables } = options
  const shared = sharedTables.length === 0 ? [] : [`-- Shared, and left as they are: ${sharedTables.join(', ')}.`]
  const tables = Object.entries(options.tables).flatMap(([name, { tenant, workspace }]) => [
    '',
    ...tablePolicies(name, tenant, workspace, options),
  ])
  return `${[...preface, ...shared, 'BEGIN;', ...tables, '', 'COMMIT;'].join('\n')}\n`
}

const preface = [
  '-- Row level security for the tables of tenants. Run it as the owner of the tables.',
  '--',
  '-- In every transaction, before any other statement, with values of the verified token bound:',
  '--   BEGIN;',
  `--   SELECT set_config('${tenantSetting}', $1, true), set_config('${workspaceSetting}', $2, true);`,
  `-- which is SET LOCAL ${tenantSetting} = '…'; SET LOCAL ${workspaceSetting} = '…'; and ends with the transaction.`,
  '-- Never SET without LOCAL: the next borrower of the connection would be that tenant.',
  '-- Unset, no row is seen and none is written. Superusers and roles with BYPASSRLS are not held by any of this: the',
  '-- service has to connect as another role, without TRUNCATE, which no policy holds. It does not replace the guard: who can run any SQL can set any tenant.',
]

function tablePolicies(
  name: string,
  tenant: string,
  workspace: string | undefined,
  { schema, keyType }: PoliciesOptions,
): string[] {
  const table = schema === undefined ? quoted(name) : `${quoted(schema)}.${quoted(name)}`
  const pins = [pin(tenant, tenantSetting, keyType)]
  if (workspace !== undefined) pins.push(pin(workspace, workspaceSetting, keyType))
  const condition = pins.join('\n    AND ')
  return [
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`,
    // Otherwise whoever owns the table, a service that makes its own tables for one, is not held by its policies.
    `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;`,
    // Restrictive: another policy of the table can take rows away and never add any.
    `DROP POLICY IF EXISTS tenure_tenant ON ${table};`,
    `CREATE POLICY tenure_tenant ON ${table} AS RESTRICTIVE FOR ALL TO PUBLIC`,
    `  USING (${condition})`,
    `  WITH CHECK (${condition});`,
    // Restrictive policies alone let nothing through.
    `DROP POLICY IF EXISTS tenure_rows ON ${table};`,
    `CREATE POLICY tenure_rows ON ${table} AS PERMISSIVE FOR ALL TO PUBLIC USING (true) WITH CHECK (true);`,
  ]
}

/** A setting of an ended transaction is left empty, not unset: both have to match no row. */
function pin(column: string, setting: string, keyType: 'text' | 'uuid'): string {
  const cast = keyType === 'uuid' ? '::uuid' : ''
  return `${quoted(column)} = nullif(current_setting('${setting}', true), '')${cast}`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
