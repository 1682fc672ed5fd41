import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { StartError } from '../base/start-error.ts'
import { parseYamlFile } from '../config/yaml-file.ts'
import { guardedTablesFrom, type TenantTables } from '../sdk/guard/tenant-tables.ts'
import { postgresPolicies } from './postgres-policies.ts'

export interface GuardDdlOptions {
  readonly postgres?: boolean
  readonly tables?: string
  readonly schema?: string
  readonly keyType: string
}

export function addGuardDdl(guard: Command): void {
  guard
    .command('ddl')
    .description('Print row level security for PostgreSQL; nothing is run.')
    .exitOverride()
    .option('--postgres', 'for PostgreSQL')
    .option('-t, --tables <file>', 'YAML or JSON with the lists of the guard of the SDK: tables, sharedTables')
    .option('--schema <name>', 'the schema the tables are in (default: the search path)')
    .option('--key-type <type>', 'what the key columns are: text or uuid', 'text')
    .addHelpText('after', '\nExample:\n  tenure guard ddl --postgres --tables tables.yaml')
    .action((options: GuardDdlOptions) => {
      process.stdout.write(guardDdl(options))
    })
}

/** The statements for a data plane on PostgreSQL; nothing is run. */
export function guardDdl({ postgres, tables: path, schema, keyType }: GuardDdlOptions): string {
  if (postgres !== true) throw new StartError('Say for which database: tenure guard ddl --postgres.')
  if (path === undefined) throw new StartError('Name the file of your tables: --tables tables.yaml.')
  if (keyType !== 'text' && keyType !== 'uuid') throw new StartError('--key-type is text or uuid.')
  if (schema !== undefined && !/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new StartError('--schema is one name: lower case, digits, underscores.')
  }
  return postgresPolicies({ ...readTables(path), schema, keyType })
}

const example = 'tables:\n  orders: {tenant: tenant_id, workspace: workspace_id}'

function readTables(path: string): { readonly tables: TenantTables; readonly sharedTables: readonly string[] } {
  const parsed = parseYamlFile({ path, named: `--tables names ${path}`, what: 'tables' }, (file) => readFileSync(file))
  if ('problem' in parsed) throw new StartError(parsed.problem)
  const { tables, sharedTables = [], ...others } = recordFrom(parsed.value, path)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw new StartError(`${path} has tables and sharedTables; remove ${JSON.stringify(unknown)}.`)
  const listed = recordFrom(tables, path) as TenantTables
  if (Object.keys(listed).length === 0) throw new StartError(`${path} has no tables. Write:\n${example}`)
  if (!Array.isArray(sharedTables)) throw new StartError(`sharedTables in ${path} has to be a list of names.`)
  for (const [name, table] of Object.entries(listed)) assertKnownFields(name, table, path)
  try {
    guardedTablesFrom(listed, sharedTables)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new StartError(`${path}: ${error.message}; mend it.`)
  }
  return { tables: listed, sharedTables }
}

function recordFrom(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new StartError(`${path} has to list tables by name. Write:\n${example}`)
}

/** A key column under a misspelt name would leave the workspaces of the table open to each other. */
function assertKnownFields(name: string, table: unknown, path: string): void {
  const unknown = Object.keys(table ?? {}).find((field) => !['tenant', 'workspace', 'upserts'].includes(field))
  if (unknown === undefined) return
  throw new StartError(
    `${path}: the table ${name} has tenant, workspace and upserts; remove ${JSON.stringify(unknown)}.`,
  )
}
