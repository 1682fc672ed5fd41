import type { EntityManager, EntitySchema } from 'typeorm'
import { TenureError } from '../base/errors.ts'
import { nilUuid } from '../base/ids.ts'
import { guardRefusalIn } from '../sql-guard/guard-refusal.ts'
import type { GuardBinding } from '../sql-guard/guard-types.ts'
import type { Database } from '../storage/database.ts'
import { pinsOf } from './pins.ts'

/** Two tenants that there never are: what the guard is tried with asks for nobody's rows, even where it lets it pass. */
const probeTenantId = '00000000-0000-7000-8000-0000000000d1'
const otherTenantId = '00000000-0000-7000-8000-0000000000d2'

/** A refusal of a statement that was made to be refused is no incident. */
export function isProbe(binding: GuardBinding | undefined): boolean {
  return binding?.kind === 'tenant' && binding.tenantId === probeTenantId
}

/** One statement that must be refused, at one door. */
export interface GuardTry {
  readonly table: string
  readonly door: 'read' | 'write'
  /** What is wrong with it. */
  readonly what: string
  isRefused(): Promise<boolean>
}

interface Bad {
  readonly what: string
  readonly sql: string
  readonly params: readonly string[]
}

/** Raw statements below every store, on each table, by the same connections that serve calls. None can change a row. */
export function guardTries(cell: Database, tables: readonly EntitySchema[]): GuardTry[] {
  return tables.flatMap((table) => {
    const { table: name, columns } = pinsOf(table)
    return badStatements(name, columns.includes('workspace_id')).flatMap(({ what, sql, params }) =>
      (['read', 'write'] as const).map((door) => ({
        ...{ table: name, door, what },
        isRefused: () => isRefused(cell, door, sql, params),
      })),
    )
  })
}

function badStatements(table: string, ofWorkspace: boolean): Bad[] {
  const none = `SELECT COUNT(*) AS n FROM ${table}`
  const either = `${none} WHERE tenant_id = ? OR tenant_id <> ?`
  const bad = [
    { what: 'is not pinned to a tenant', sql: none, params: [] },
    { what: 'is pinned to another tenant', sql: `${none} WHERE tenant_id = ?`, params: [otherTenantId] },
    { what: 'escapes its pin by an OR', sql: either, params: [probeTenantId, probeTenantId] },
    { what: 'changes rows of no tenant in particular', sql: `DELETE FROM ${table} WHERE 1 = 0`, params: [] },
  ]
  if (!ofWorkspace) return bad
  const half = `${none} WHERE tenant_id = ?`
  return [...bad, { what: 'is not pinned to a workspace', sql: half, params: [probeTenantId] }]
}

async function isRefused(
  cell: Database,
  door: GuardTry['door'],
  sql: string,
  params: readonly string[],
): Promise<boolean> {
  const binding = { kind: 'tenant', tenantId: probeTenantId, workspaceId: nilUuid, allWorkspaces: false } as const
  const ask = async (manager: EntityManager): Promise<boolean> => {
    try {
      await manager.query(sql, [...params])
      return false
    } catch (error) {
      if (guardRefusalIn(error) !== undefined) return true
      // Away is no answer. Any other failure is the engine's own: the statement got as far as that.
      if (error instanceof TenureError && error.code === 'UNAVAILABLE') throw error
      return false
    }
  }
  if (door === 'read') return cell.read(binding, ask)
  return cell.write(binding, async (manager) => ({ value: await ask(manager), keep: false }))
}
