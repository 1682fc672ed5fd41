import { create, toBinary } from '@bufbuild/protobuf'
import { AnySchema, anyPack, timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Place } from '../base/resource-name.ts'
import { nameIn } from '../base/resource-name.ts'
import { type Operation, OperationSchema } from '../gen/google/longrunning/operations_pb.ts'
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../gen/google/rpc/status_pb.ts'
import { OperationMetadataSchema } from '../gen/tenure/v1/operation_metadata_pb.ts'
import type { OperationError, OperationRow } from './operation.ts'

export function operationToProto(row: OperationRow, place: Pick<Place, 'tenant'>): Operation {
  return create(OperationSchema, {
    name: nameIn({ tenant: place.tenant, workspace: '' }, 'operations', row.operationId),
    metadata: anyPack(OperationMetadataSchema, metadataOf(row)),
    done: row.state !== 'OPEN',
    result: resultOf(row),
  })
}

function metadataOf(row: OperationRow) {
  return create(OperationMetadataSchema, {
    kind: row.kind,
    target: row.target,
    phase: row.phase,
    done: BigInt(row.done),
    total: BigInt(row.total),
    message: row.message,
    cancelRequested: row.cancelRequested,
    attemptCount: BigInt(row.attempt),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    ...(row.endTime === null ? {} : { endTime: timestampFromDate(row.endTime) }),
    ...(row.expireTime === null ? {} : { expireTime: timestampFromDate(row.expireTime) }),
    principal: row.actor.principal,
  })
}

function resultOf(row: OperationRow): Operation['result'] {
  if (row.error !== null) return { case: 'error', value: statusOf(row.error) }
  if (row.response === null) return { case: undefined }
  const typeUrl = `type.googleapis.com/${row.responseType}`
  return { case: 'response', value: create(AnySchema, { typeUrl, value: row.response }) }
}

function statusOf({ code, reason, message }: OperationError) {
  const info = create(ErrorInfoSchema, { reason, domain: 'tenure' })
  const detail = { typeUrl: `type.googleapis.com/${ErrorInfoSchema.typeName}`, value: toBinary(ErrorInfoSchema, info) }
  return create(StatusSchema, { code, message, details: [create(AnySchema, detail)] })
}
