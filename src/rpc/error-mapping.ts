import { create, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  type CanonicalCode,
  canonicalCode,
  type ErrorReason,
  type FieldViolation,
  TenureError,
} from '../base/errors.ts'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from '../gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../gen/google/rpc/status_pb.ts'

export interface FailureDetail {
  readonly desc: DescMessage
  readonly value: Message
}

/** A failure as every transport sends it. */
export interface Failure {
  readonly code: CanonicalCode
  readonly codeNumber: number
  readonly reason: ErrorReason
  readonly message: string
  readonly details: readonly FailureDetail[]
}

const errorDomain = 'tenure'

// Metadata over 16 KB kills C-core peers and over 64 KB hangs grpc-js clients (grpc-node #2399).
const maxMessageBytes = 1024
const maxDetailsBytes = 6 * 1024
const maxMetadataBytes = 2 * 1024
const maxDescriptionCharacters = 512

/** Anything that is not a TenureError is a broken invariant: the caller learns one fixed sentence and the request id. */
export function failureOf(error: unknown, requestId: string): Failure {
  if (!(error instanceof TenureError) || error.reason === 'INTERNAL') return internalFailure(requestId)
  return build(error.reason, error.code, error.message, detailsOf(error))
}

function internalFailure(requestId: string): Failure {
  const message = `Something is broken on our side. Ask about request ${requestId}.`
  return build('INTERNAL', 'INTERNAL', message, [errorInfo('INTERNAL', { request_id: requestId })])
}

/** `google.rpc.Status`, as `grpc-status-details-bin` and batch items carry it. */
export function statusOf(failure: Failure): Message<'google.rpc.Status'> {
  return create(StatusSchema, {
    code: failure.codeNumber,
    message: failure.message,
    details: failure.details.map((detail) => anyPack(detail.desc, detail.value)),
  })
}

export function toStatus(failure: Failure): Uint8Array {
  return toBinary(StatusSchema, statusOf(failure) as never)
}

function build(reason: ErrorReason, code: CanonicalCode, message: string, details: FailureDetail[]): Failure {
  return { code, codeNumber: canonicalCode[code], reason, message: shorten(message, maxMessageBytes), details }
}

function detailsOf(error: TenureError): FailureDetail[] {
  const details = [errorInfo(error.reason, error.metadata)]
  if (error.fieldViolations.length > 0)
    details.push(badRequest(error.fieldViolations, maxDetailsBytes - sizeOf(details)))
  if (error.code === 'FAILED_PRECONDITION') {
    const violation = {
      type: error.reason,
      subject: brief(error.metadata.subject ?? ''),
      description: brief(error.message),
    }
    details.push(detail(PreconditionFailureSchema, create(PreconditionFailureSchema, { violations: [violation] })))
  }
  if (error.reason === 'OVERLOADED') {
    const violation = { subject: 'server', description: brief(error.message) }
    details.push(detail(QuotaFailureSchema, create(QuotaFailureSchema, { violations: [violation] })))
  }
  if (error.retryAfterMs !== undefined) details.push(retryInfo(error.retryAfterMs))
  return details
}

function errorInfo(reason: ErrorReason, metadata: Readonly<Record<string, string>>): FailureDetail {
  const kept: Record<string, string> = {}
  let budget = maxMetadataBytes
  for (const [key, value] of Object.entries(metadata)) {
    const short = shorten(value, maxDescriptionCharacters)
    budget -= Buffer.byteLength(key) + Buffer.byteLength(short) + 8
    if (budget < 0) break
    kept[key] = short
  }
  return detail(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: errorDomain, metadata: kept }))
}

/** As many violations as fit: a request of 10,000 broken fields must not become a trailer that breaks its reader. */
function badRequest(violations: readonly FieldViolation[], budgetBytes: number): FailureDetail {
  const kept: { field: string; description: string }[] = []
  // Room for the type URL, and for the other details of the same failure.
  let budget = budgetBytes - 1280
  for (const violation of violations) {
    const entry = { field: brief(violation.field), description: brief(violation.description) }
    budget -= Buffer.byteLength(entry.field) + Buffer.byteLength(entry.description) + 16
    if (budget < 0) break
    kept.push(entry)
  }
  return detail(BadRequestSchema, create(BadRequestSchema, { fieldViolations: kept }))
}

function retryInfo(retryAfterMs: number): FailureDetail {
  const seconds = Math.floor(retryAfterMs / 1000)
  const retryDelay = { seconds: BigInt(seconds), nanos: Math.round((retryAfterMs - seconds * 1000) * 1_000_000) }
  return detail(RetryInfoSchema, create(RetryInfoSchema, { retryDelay }))
}

function detail(desc: DescMessage, value: Message): FailureDetail {
  return { desc, value }
}

function sizeOf(details: readonly FailureDetail[]): number {
  return details.reduce((sum, { desc, value }) => sum + toBinary(desc, value).length + desc.typeName.length + 32, 0)
}

function brief(text: string): string {
  return shorten(text, maxDescriptionCharacters)
}

/** Well-formed always: percent-encoding a lone surrogate throws inside the transports, which would end the process. */
function shorten(text: string, maxBytes: number): string {
  const whole = text.toWellFormed()
  if (Buffer.byteLength(whole) <= maxBytes) return whole
  const cut = Buffer.from(whole)
    .subarray(0, maxBytes - 3)
    .toString('utf8')
    .replace(/\uFFFD+$/u, '')
  return `${cut}...`
}
