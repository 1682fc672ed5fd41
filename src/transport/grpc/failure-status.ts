import { Metadata, type StatusObject } from '@grpc/grpc-js'
import { requestIdHeader } from '../../rpc/answer-headers.ts'
import { type Failure, toStatus } from '../../rpc/error-mapping.ts'

const detailsTrailer = 'grpc-status-details-bin'

export function statusOfFailure(failure: Failure, requestId: string): StatusObject {
  const metadata = new Metadata()
  metadata.set(requestIdHeader, requestId)
  metadata.set(detailsTrailer, bufferOf(toStatus(failure)))
  return { code: failure.codeNumber, details: failure.message, metadata }
}

/** A view, not a copy. */
export function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
