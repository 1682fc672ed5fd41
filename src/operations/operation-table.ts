import { EntitySchema } from 'typeorm'
import { coded, codedNotesColumn, codedObjectColumn, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, booleanColumn, bytesColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { OperationActor, OperationError, OperationRow } from './operation.ts'

function isActor(value: object): boolean {
  const { principal, credential, requestId, clientIp } = value as Partial<Record<keyof OperationActor, unknown>>
  return [principal, credential, requestId, clientIp].every((each) => typeof each === 'string')
}

function isError(value: object): boolean {
  const { code, reason, message } = value as Partial<Record<keyof OperationError, unknown>>
  return typeof code === 'number' && typeof reason === 'string' && typeof message === 'string'
}

function areNotes(value: object): boolean {
  return Object.values(value).every((each) => typeof each === 'string' || typeof each === 'number')
}

/**
 * What is done in whose name, and what became of it. How far it is, who holds it, and whether it is to stop change all the
 * time: with these an operation can be held up or ended, and none can be made.
 */
const codedProperties = [
  ...['kind', 'target', 'state', 'actor', 'input'],
  ...['responseType', 'response', 'error', 'createTime'],
] as const satisfies (keyof OperationRow)[]

function operationColumns() {
  return {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    operationId: asciiColumn('operationId', 36, { primary: true }),
    kind: asciiColumn('kind', 63),
    target: asciiColumn('target', 300),
    state: asciiColumn('state', 20),
    actor: codedNotesColumn('actor', isActor, { principal: '', credential: '', requestId: '', clientIp: '' }),
    input: codedNotesColumn('input', areNotes, {}),
    checkpoint: codedNotesColumn('checkpoint', areNotes, {}),
    phase: asciiColumn('phase', 63),
    done: integerColumn('done'),
    total: integerColumn('total'),
    message: textColumn('message', 500),
    cancelRequested: booleanColumn('cancelRequested'),
    attempt: integerColumn('attempt'),
    failureCount: integerColumn('failureCount'),
    leaseHolder: asciiColumn('leaseHolder', 36),
    leaseExpireTime: timeColumn('leaseExpireTime'),
    error: codedObjectColumn('error', isError),
    responseType: asciiColumn('responseType', 127),
    response: bytesColumn('response', { nullable: true }),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
    endTime: timeColumn('endTime', { nullable: true }),
    expireTime: timeColumn('expireTime', { nullable: true }),
    ...rowCodeColumn(),
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
export const OperationTable = coded(
  new EntitySchema<OperationRow>({
    name: 'operations',
    columns: operationColumns(),
    indices: operationIndices('operations'),
  }),
  codedProperties,
  'operations',
)

/** Operations of the platform. */
export const PlatformOperationTable = coded(
  new EntitySchema<OperationRow>({
    name: 'platform_operations',
    columns: operationColumns(),
    indices: operationIndices('platform_operations'),
  }),
  codedProperties,
  'operations',
)
