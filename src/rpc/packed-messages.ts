import { createRegistry } from '@bufbuild/protobuf'
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.ts'
import { file_tenure_v1_isolation_report } from '../gen/tenure/v1/isolation_report_pb.ts'
import { file_tenure_v1_operation_metadata } from '../gen/tenure/v1/operation_metadata_pb.ts'
import { file_tenure_v1_purge_receipt } from '../gen/tenure/v1/purge_receipt_pb.ts'

/**
 * What an answer can carry packed in an `Any`: failures of a batch's items, and what operations say and answer. Whoever
 * writes an answer as JSON, or describes it, needs them by type.
 */
export const packedFiles = [
  file_google_rpc_error_details,
  file_tenure_v1_operation_metadata,
  file_tenure_v1_purge_receipt,
  file_tenure_v1_isolation_report,
]

export const packedRegistry = createRegistry(...packedFiles)
