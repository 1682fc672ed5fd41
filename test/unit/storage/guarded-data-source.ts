import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataSource, EntitySchema, type Logger } from 'typeorm'
import { bindConnection } from '../../../src/sql-guard/connection-binding.ts'
import { createGuard, type Guard } from '../../../src/sql-guard/guard.ts'
import type { GuardRefusalReason } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardBinding, GuardedTables } from '../../../src/sql-guard/guard-types.ts'
import { createNodeSqliteDriver, type NodeSqliteConnection } from '../../../src/storage/sqlite/node-sqlite-driver.ts'

export const ACME = '019a0000-0000-7000-8000-00000000acme'
export const GLOBEX = '019a0000-0000-7000-8000-0000000globex'
export const PROD = '019a0000-0000-7000-8000-00000000prod'
export const STAGE = '019a0000-0000-7000-8000-0000000stage'

export interface Member {
  readonly tenant_id: string
  readonly id: string
  readonly name: string
  readonly visits: number
  readonly photo: Buffer | null
  readonly joined_at: string
}

export interface Note {
  readonly tenant_id: string
  readonly workspace_id: string
  readonly id: string
  readonly member_id: string
  readonly body: string
}

export const MemberTable = new EntitySchema<Member>({
  name: 'member',
  tableName: 'members',
  columns: {
    tenant_id: { type: 'text', primary: true },
    id: { type: 'text', primary: true },
    name: { type: 'text' },
    visits: { type: 'integer', default: 0 },
    photo: { type: 'blob', nullable: true },
    joined_at: { type: 'text', nullable: true },
  },
})

export const NoteTable = new EntitySchema<Note>({
  name: 'note',
  tableName: 'notes',
  columns: {
    tenant_id: { type: 'text', primary: true },
    workspace_id: { type: 'text', primary: true },
    id: { type: 'text', primary: true },
    member_id: { type: 'text' },
    body: { type: 'text' },
  },
})

export const TABLES: GuardedTables = {
  sharedKeys: new Set(),
  tenantTables: new Map([
    ['members', ['tenant_id']],
    ['notes', ['tenant_id', 'workspace_id']],
  ]),
  platformTables: new Map([['census', new Map([['members', 'read']])]]),
}

const SCHEMA = `
  CREATE TABLE members (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, visits INTEGER NOT NULL DEFAULT 0,
    photo BLOB, joined_at TEXT, PRIMARY KEY (tenant_id, id)) STRICT;
  CREATE TABLE notes (tenant_id TEXT NOT NULL, workspace_id TEXT NOT NULL, id TEXT NOT NULL, member_id TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (tenant_id, workspace_id, id)) STRICT;`

export interface GuardedDataSource extends AsyncDisposable {
  readonly dataSource: DataSource
  readonly connection: NodeSqliteConnection
  /** Every text TypeORM sent, in order. */
  readonly statements: string[]
  readonly refusals: { reason: GuardRefusalReason; binding: GuardBinding | undefined }[]
  bind(binding: GuardBinding): Disposable
  asTenant<T>(tenantId: string, workspaceId: string, act: () => Promise<T>): Promise<T>
}

/** A real data source over the real driver and guard; its schema stands and nothing is bound. */
export async function openGuardedDataSource(path: string, readOnly = false): Promise<GuardedDataSource> {
  const statements: string[] = []
  const refusals: GuardedDataSource['refusals'] = []
  const guard: Guard = await createGuard({
    dialect: 'sqlite',
    tables: TABLES,
    sink: { refused: ({ reason, binding }) => refusals.push({ reason, binding }) },
  })
  const dataSource = new DataSource({
    type: 'better-sqlite3',
    driver: createNodeSqliteDriver({ guard }),
    database: path,
    readonly: readOnly,
    entities: [MemberTable, NoteTable],
    logger: recordingLogger(statements),
  })
  await dataSource.initialize()
  const connection = (dataSource.driver as unknown as { databaseConnection: NodeSqliteConnection }).databaseConnection
  if (!readOnly) {
    using _migration = bindConnection(connection, { kind: 'migration' })
    connection.exec(SCHEMA)
  }
  return {
    dataSource,
    connection,
    statements,
    refusals,
    bind: (binding) => bindConnection(connection, binding),
    async asTenant(tenantId, workspaceId, act) {
      using _binding = bindConnection(connection, { kind: 'tenant', tenantId, workspaceId, allWorkspaces: false })
      return await act()
    },
    async [Symbol.asyncDispose]() {
      await dataSource.destroy()
    },
  }
}

export interface SeededDataSource extends GuardedDataSource {
  readonly folder: string
}

/** A fresh file with three members and two notes of each of two tenants; disposing removes it. */
export async function openSeededDataSource(): Promise<SeededDataSource> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-sqlite-'))
  const rig = await openGuardedDataSource(join(folder, 'cell.db'))
  for (const tenant of [ACME, GLOBEX]) {
    await rig.asTenant(tenant, PROD, async () => {
      const members = rig.dataSource.getRepository(MemberTable)
      await members.insert([1, 2, 3].map((n) => ({ tenant_id: tenant, id: `m${n}`, name: `member ${n}`, visits: n })))
      const notes = rig.dataSource.getRepository(NoteTable)
      await notes.insert(
        [1, 2].map((n) => ({ tenant_id: tenant, workspace_id: PROD, id: `n${n}`, member_id: 'm1', body: `note ${n}` })),
      )
    })
  }
  return {
    ...rig,
    folder,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function recordingLogger(statements: string[]): Logger {
  const nothing = (): void => {}
  return {
    logQuery: (query) => statements.push(query),
    logQueryError: nothing,
    logQuerySlow: nothing,
    logSchemaBuild: nothing,
    logMigration: nothing,
    log: nothing,
  }
}
