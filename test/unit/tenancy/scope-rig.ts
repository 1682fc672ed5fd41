import { randomFillSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import type { EntityManager, EntitySchema } from 'typeorm'
import { createIds, type TenantId, type WorkspaceId } from '../../../src/base/ids.ts'
import { type CreateSecretResponse, CreateSecretResponseSchema } from '../../../src/gen/tenure/v1/secret_service_pb.ts'
import type { SecretRow } from '../../../src/secrets/secret.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import type { GuardBinding } from '../../../src/sql-guard/guard-types.ts'
import type { Database } from '../../../src/storage/database.ts'
import { migrateSqlite } from '../../../src/storage/sqlite/migrate-sqlite.ts'
import { createWriterTurn, openSqliteDatabase } from '../../../src/storage/sqlite/sqlite-database.ts'
import { allCellTables, guardedTables } from '../../../src/tables.ts'
import { issuePlatformCapabilities, type PlatformCapabilities } from '../../../src/tenancy/platform-capability.ts'
import { platformScope } from '../../../src/tenancy/platform-scope.ts'
import { provisionTenant } from '../../../src/tenancy/provisioning.ts'
import { createScopes, type Scopes } from '../../../src/tenancy/scope.ts'
import type { TenantContext } from '../../../src/tenancy/tenant-context.ts'
import type { Committed, TenantMutation, Unit } from '../../../src/tenancy/tenant-unit.ts'
import { codesOfUnit } from '../../../src/tenancy/unit-codes.ts'
import { createWriteTurns } from '../../../src/tenancy/write-turns.ts'
import { TenantHeadTable } from '../../../src/tenants/tenant-table.ts'
import { testRowCodes } from '../../support/test-codes.ts'

export const acme = '018f0000-0000-7000-8000-00000000000a' as TenantId
export const globex = '018f0000-0000-7000-8000-00000000000b' as TenantId
export const prod = '018f0000-0000-7000-8000-0000000000aa' as WorkspaceId
export const stage = '018f0000-0000-7000-8000-0000000000bb' as WorkspaceId
export const time = new Date('2026-01-31T12:34:56.789Z')
export const timeline = '018f0000-0000-7000-8000-0000000000ff'
export const directoryRevision = 7

export type SecretMutation = TenantMutation<typeof CreateSecretResponseSchema>

/** Scopes over one cell of SQLite with two tenants, and everything that they are told or ask, in order. */
export interface ScopeRig extends AsyncDisposable {
  readonly cell: Database
  readonly capabilities: PlatformCapabilities
  readonly scopes: Scopes
  /** Others on the same cell, whose database is another in what is said here. */
  scopesOver(changes: Partial<Database>): Scopes
  readonly committed: Committed[]
  readonly readmitted: (readonly [context: TenantContext, revision: number])[]
  /** What the guard let through, without what begins and ends transactions. */
  readonly statements: string[]
  onCommitted: () => Promise<void>
  onReadmit: () => Promise<void>
  platformRows(
    manager: EntityManager,
    changes: [string, string, string][],
    table: EntitySchema,
  ): { insert(row: object): Promise<void> }
  /** Past the scopes, as the platform. */
  run(sql: string, parameters?: readonly unknown[]): Promise<Record<string, unknown>[]>
}

const clock = { nowMs: () => time.getTime(), monotonicMs: () => 0 }

// SQLite has no locks of rows. Blanks stand for them, so that what was asked for can be seen in the statement.
export const rowLock = { forUpdate: ' ', forShare: '  ' }

const capabilities = issuePlatformCapabilities()
const ids = createIds(clock, (bytes) => void randomFillSync(bytes))

/** A fresh cell, the same for every rig: it is made once and copied. */
let madeCell: Promise<Buffer> | undefined

async function makeCell(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-scope-'))
  const path = join(folder, 'cell.db')
  migrateSqlite(path, clock)
  {
    await using cell = await openCell(path, [])
    for (const tenantId of [acme, globex]) await provision(cell, tenantId)
  }
  const made = readFileSync(path)
  rmSync(folder, { recursive: true, force: true })
  return made
}

const codes = testRowCodes()

export async function openScopeRig(): Promise<ScopeRig> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-scope-'))
  const path = join(folder, 'cell.db')
  madeCell ??= makeCell()
  writeFileSync(path, await madeCell)
  const statements: string[] = []
  const cell = await openCell(path, statements)
  const scopesOver = (changes: Partial<Database>): Scopes =>
    createScopes({
      ...{ cell: { ...cell, ...changes }, clock, ids, turns: createWriteTurns(), codes },
      directoryRevision: () => directoryRevision,
      readmit: async (context, revision) => {
        rig.readmitted.push([context, revision])
        await rig.onReadmit()
      },
      committed: async (commit) => {
        rig.committed.push(commit)
        await rig.onCommitted()
      },
    })
  const rig: ScopeRig = {
    ...{ cell, capabilities, scopesOver, scopes: scopesOver({}), statements, committed: [], readmitted: [] },
    onCommitted: async () => undefined,
    onReadmit: async () => undefined,
    platformRows: (manager, changes, table) => platformScope(manager, changes, codesOfUnit(codes)).rows(table),
    run: (sql, parameters = []) =>
      cell.write({ kind: 'migration' }, async (manager) => ({
        value: await manager.query(sql, [...parameters]),
        keep: true,
      })),
    async [Symbol.asyncDispose]() {
      await cell[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return rig
}

/** Under the guard; `statements` hears of what it let through. */
async function openCell(path: string, statements: string[]): Promise<Database> {
  const guard = await createGuard({ dialect: 'sqlite', tables: guardedTables(), sink: { refused: () => undefined } })
  const opened = await openSqliteDatabase({
    ...{ path, writerTurn: createWriterTurn(), readers: 2, maxWaitingReads: 100, entities: allCellTables },
    guard: {
      ...{ checkText: guard.checkText.bind(guard), toBindable: guard.toBindable.bind(guard) },
      check(sql: string, params: readonly unknown[], binding: GuardBinding | undefined) {
        guard.check(sql, params, binding)
        if (!/^(?:BEGIN|COMMIT|ROLLBACK)/.test(sql)) statements.push(sql)
      },
    },
  })
  return { ...opened, rowLock }
}

async function provision(cell: Database, tenantId: TenantId): Promise<void> {
  const row = {
    ...{ tenantId, slug: tenantId, displayName: '', state: 'ACTIVE', suspensionMode: 'NONE', suspensionReason: '' },
    ...{ suspensionTime: null, plan: '', tier: '', region: '', isolation: 'SHARED', cellId: 'local', labels: {} },
    ...{ version: 1, createTime: time, updateTime: time, deleteTime: null, purgeTime: null, placementEpoch: 1 },
    timelineId: timeline,
  }
  await provisionTenant(cell, capabilities['tenant-provisioning'], ids, codes, {
    ...{ tenantId, target: tenantId, time, firstRows: [], actor: contextAt().actor },
    head: { table: TenantHeadTable as unknown as EntitySchema, row },
  })
}

/** Of Acme's production, unless said otherwise. */
export function contextAt(changes: Partial<TenantContext> = {}): TenantContext {
  return {
    ...{ tenantId: acme, tenantSlug: 'acme', workspaceId: prod, workspaceSlug: 'prod', region: '', tier: '' },
    ...{ placementEpoch: 1, revision: 1 },
    actor: { principal: 'users/alice', credential: 'apiKeys/a', requestId: 'r', clientIp: '192.0.2.1' },
    ...changes,
  }
}

export const mutation: SecretMutation = {
  ...{ event: 'secrets.create', target: 'a secret', idempotency: undefined, validateOnly: false },
  response: CreateSecretResponseSchema,
}

export function secretRow(context: TenantContext, slug: string): SecretRow {
  const { tenantId, workspaceId } = context
  return {
    ...{ tenantId, workspaceId, secretId: `${tenantId.at(-1)}${workspaceId.at(-1)}-${slug}`, slug, labels: {} },
    ...{ latestVersion: 0, versionCount: 0, version: 1, createTime: time, updateTime: time },
  }
}

/** A closure that inserts a secret of that name and answers with the token of its unit. */
export function inserting(slug: string) {
  return async (unit: Unit): Promise<CreateSecretResponse> => {
    await unit.rows(SecretTable).insert(secretRow(unit.context, slug))
    return create(CreateSecretResponseSchema, { revision: unit.revision })
  }
}

export const nothing = async (): Promise<CreateSecretResponse> => create(CreateSecretResponseSchema)
