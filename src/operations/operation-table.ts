import { EntitySchema } from 'typeorm'
import { coded, codedNotesColumn, rowCodeColumn } from '../base/coded-columns.ts'
import {
  asciiColumn,
  booleanColumn,
  bytesColumn,
  integerColumn,
  jsonColumn,
  textColumn,
  timeColumn,
} from '../base/columns.ts'
import type { OperationActor, OperationRow } from './operation.ts'

function isActor(value: object): boolean {
  const { principal, credential, requestId, clientIp } = value as Partial<Record<keyof OperationActor, unknown>>
  return [principal, credential, requestId, clientIp].every((each) => typeof each === 'string')
}

function areNotes(value: object): boolean {
  return Object.values(value).every((each) => typeof each === 'string' || typeof each === 'number')
}

/**
 * What is done in whose name, and what became of it. How far it is, and who holds it, change all the time and decide
 * nothing: every step can be repeated.
 */
const codedProperties = [
  ...['kind', 'target', 'state', 'actor', 'input'],
  ...['responseType', 'response', 'createTime'],
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
