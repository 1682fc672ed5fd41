import type { GuardBinding, GuardDialect, GuardedTables } from '../../../src/sql-guard/guard-types.ts'

/** The context's own ids: short, because a corpus entry is a line. */
export const T = '019a0000-0000-7000-8000-000000000001'
export const OTHER_TENANT = '019a0000-0000-7000-8000-000000000002'
export const W = '019a0000-0000-7000-8000-00000000000a'
export const OTHER_WORKSPACE = '019a0000-0000-7000-8000-00000000000b'

export const TENANT_BINDING: GuardBinding = {
  kind: 'tenant',
  tenantId: T,
  workspaceId: W,
  allWorkspaces: false,
}

export const ALL_WORKSPACES_BINDING: GuardBinding = { ...TENANT_BINDING, allWorkspaces: true }

export const DIRECTORY_BINDING: GuardBinding = { kind: 'platform', purpose: 'directory' }

export const TABLES: GuardedTables = {
  sharedKeys: new Set(['events']),
  tenantTables: new Map([
    ['members', ['tenant_id']],
    ['roles', ['tenant_id']],
    ['notes', ['tenant_id', 'workspace_id']],
    ['secrets', ['tenant_id', 'workspace_id']],
    ['events', ['tenant_id']],
  ]),
  platformTables: new Map([
    [
      'directory',
      new Map([
        ['cells', 'write'],
        ['plans', 'read'],
      ]),
    ],
    ['purge', new Map([['members', 'write']])],
  ]),
}

export interface CorpusEntry {
  readonly name: string
  readonly sql: string
  readonly dialect: GuardDialect
  /** Left out: every parameter is the context's own tenant, so that only the statement is at fault. */
  readonly params: readonly unknown[] | undefined
  readonly binding: GuardBinding
}

interface EntryOptions {
  readonly params?: readonly unknown[]
  readonly binding?: GuardBinding
}

function entry(dialect: GuardDialect, sql: string, { params, binding = TENANT_BINDING }: EntryOptions): CorpusEntry {
  const text = dialect === 'mysql' ? sql.replaceAll('"', '`') : sql
  return { name: `${dialect}: ${text}`, sql: text, dialect, params, binding }
}

export const sqlite = (sql: string, options: EntryOptions = {}): CorpusEntry[] => [entry('sqlite', sql, options)]

/** Written with double quotes in the corpus, with backticks on the wire. */
export const mysql = (sql: string, options: EntryOptions = {}): CorpusEntry[] => [entry('mysql', sql, options)]

/** As it stands, double quotes and all. */
export const mysqlAsWritten = (sql: string, options: EntryOptions = {}): CorpusEntry[] =>
  mysql('', options).map((empty) => ({ ...empty, name: `mysql: ${sql}`, sql }))

export const both = (sql: string, options: EntryOptions = {}): CorpusEntry[] => [
  ...sqlite(sql, options),
  ...mysql(sql, options),
]

export function paramsOf({ sql, params }: CorpusEntry): readonly unknown[] {
  return params ?? [...sql.matchAll(/\?/g)].map(() => T)
}
