import { guardViolationIn } from '../../../../src/sdk/guard/guard-violation.ts'
import type { SqliteConnectionLike } from '../../../../src/sdk/guard/guarded-sqlite-driver.ts'
import type { TenantContext } from '../../../../src/sdk/tenant-context.ts'
import { contextOfTenant } from './contexts.ts'
import type { SqliteRig } from './sqlite-rig.ts'

export const acme = contextOfTenant(1)
export const globex = contextOfTenant(2)
export const insertOrder = 'INSERT INTO orders (account_id, team_id, id, item) VALUES (?, ?, ?, ?)'
export const rowOf = ({ tenantUid, workspaceUid }: TenantContext, id: string) => [tenantUid, workspaceUid, id, 'new']

/** Behind the facade of TypeORM. */
export const connectionOf = ({ dataSource }: SqliteRig) =>
  (dataSource.driver as unknown as { databaseConnection: SqliteConnectionLike }).databaseConnection

export async function errorOf(work: () => unknown): Promise<Error | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error as Error
  }
}

/** Of a violation its reason; undefined: nothing was refused. */
export const reasonOf = async (work: () => unknown) => {
  const error = await errorOf(work)
  return error === undefined ? undefined : (guardViolationIn(error)?.reason ?? error.message)
}
