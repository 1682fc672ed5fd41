import { EntitySchema } from 'typeorm'
import {
  asciiColumn,
  booleanColumn,
  bytesColumn,
  integerColumn,
  jsonColumn,
  textColumn,
  timeColumn,
} from '../base/columns.ts'
import type { OperationRow } from './operation.ts'

function operationColumns() {
  return {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    operationId: asciiColumn('operationId', 36, { primary: true }),
    kind: asciiColumn('kind', 63),
    target: asciiColumn('target', 300),
    state: asciiColumn('state', 20),
    actor: jsonColumn('actor'),
    input: jsonColumn('input'),
    checkpoint: jsonColumn('checkpoint'),
    phase: asciiColumn('phase', 63),
    done: integerColumn('done'),
    total: integerColumn('total'),
    message: textColumn('message', 500),
    cancelRequested: booleanColumn('cancelRequested'),
    attempt: integerColumn('attempt'),
    failureCount: integerColumn('failureCount'),
    leaseHolder: asciiColumn('leaseHolder', 36),
    leaseExpireTime: timeColumn('leaseExpireTime'),
    error: jsonColumn('error', { nullable: true }),
    responseType: asciiColumn('responseType', 127),
    response: bytesColumn('response', { nullable: true }),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
    endTime: timeColumn('endTime', { nullable: true }),
    expireTime: timeColumn('expireTime', { nullable: true }),
  }
}

function operationIndices(table: string) {
  return [
    { name: `${table}_created`, columns: ['tenantId', 'createTime', 'operationId'] },
    // Servers look over all tenants for what nobody holds.
    { name: `${table}_leases`, columns: ['state', 'leaseExpireTime'] },
    { name: `${table}_ids`, columns: ['operationId'] },
  ]
}

/** Operations of tenants. */
export const OperationTable = new EntitySchema<OperationRow>({
  name: 'operations',
  columns: operationColumns(),
  indices: operationIndices('operations'),
})

/** Operations of the platform. */
export const PlatformOperationTable = new EntitySchema<OperationRow>({
  name: 'platform_operations',
  columns: operationColumns(),
  indices: operationIndices('platform_operations'),
})
