import { platformTenantId } from '../../src/base/ids.ts'
import { operationHomes } from '../../src/jobs.ts'
import { type NewOperation, newOperation } from '../../src/operations/operation.ts'
import type { SideDoor } from './side-door.ts'
import type { TestServer } from './test-server.ts'

export interface HeldOperation {
  readonly operationId: string
  /** From now on servers take it up, and whatever row has the same id. */
  release(): Promise<void>
}

const hourMs = 3_600_000

/** An operation as it was asked for, that no server takes up before it is released. */
export async function holdOperation(
  { server }: Pick<TestServer, 'server'>,
  rows: SideDoor,
  asked: Pick<NewOperation, 'tenantId' | 'kind' | 'target' | 'input'>,
): Promise<HeldOperation> {
  const operationId = crypto.randomUUID()
  const actor = { principal: 'x', credential: '', requestId: 'r', clientIp: '' }
  const leaseExpireTime = new Date(Date.now() + hourMs)
  const row = { ...newOperation({ ...asked, operationId, actor, now: new Date() }), leaseExpireTime }
  const isOfPlatform = asked.tenantId === platformTenantId
  const home = operationHomes(server.platform)[isOfPlatform ? 1 : 0]
  if (home === undefined) throw new Error('there is no home for it')
  await home.write((each) => each.insert(row), asked.tenantId)
  const table = isOfPlatform ? 'platform_operations' : 'operations'
  const release = `UPDATE ${table} SET lease_expire_time = create_time WHERE operation_id = ?`
  return { operationId, release: () => rows.run(release, [operationId]) }
}
