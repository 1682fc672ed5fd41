import { createRegistry, fromBinary, type Message, toJson } from '@bufbuild/protobuf'
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { canonicalCode } from '../../src/base/errors.ts'
import {
  type ErrorInfo,
  ErrorInfoSchema,
  file_google_rpc_error_details,
} from '../../src/gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts'

/** What a caller can tell of an answer, in one shape for every protocol. */
export interface Played {
  readonly transport: Transport
  /** `OK` or a canonical code. */
  readonly code: string
  readonly message: unknown
  readonly errorMessage: string
  readonly reason: string
  readonly metadata: Readonly<Record<string, string>>
  /** Every other detail, as JSON, in order. */
  readonly details: readonly unknown[]
  readonly hasRequestId: boolean
  readonly requestId: string
  readonly revision: string
}

export type Transport = 'grpc-js' | 'grpc over connect-node' | 'connect proto' | 'connect json' | 'grpc-web'
export const transports: readonly Transport[] = [
  'grpc-js',
  'grpc over connect-node',
  'connect proto',
  'connect json',
  'grpc-web',
]

type Get = (name: string) => string

export function succeeded(transport: Transport, message: unknown, get: Get): Played {
  return { transport, code: 'OK', message, errorMessage: '', reason: '', metadata: {}, details: [], ...carried(get) }
}

function carried(get: Get) {
  const requestId = get('tenure-request-id')
  return { hasRequestId: requestId !== '', requestId, revision: get('tenure-revision') }
}

export function failed(
  transport: Transport,
  code: number,
  errorMessage: string,
  statusBytes: Buffer | undefined,
  get: Get,
): Played {
  if (statusBytes === undefined) return failure(transport, codeName(code), errorMessage, [], get)
  // grpc-js leaves some percent-encoded characters of `grpc-message` as they are; the status carries the text itself.
  const status = fromBinary(StatusSchema, statusBytes)
  return failure(transport, codeName(code), status.message, status.details, get)
}

interface ConnectErrorJson {
  readonly code?: string
  readonly message?: string
  readonly details?: readonly { readonly type: string; readonly value: string }[]
}

export function failedConnect(transport: Transport, status: number, text: string, get: Get): Played {
  if (text === '') return failed(transport, codeOfHttpStatus(status), '', undefined, get)
  const error = JSON.parse(text) as ConnectErrorJson
  const details = (error.details ?? []).map((detail) => anyOf(detail.type, Buffer.from(detail.value, 'base64')))
  if (error.code === undefined) return failed(transport, codeOfHttpStatus(status), '', undefined, get)
  const code = error.code.toUpperCase().replace('CANCELED', 'CANCELLED')
  return failure(transport, code, error.message ?? '', details, get)
}

function anyOf(type: string, value: Uint8Array): Any {
  return { $typeName: 'google.protobuf.Any', typeUrl: `type.googleapis.com/${type}`, value } as Any
}

const registry = createRegistry(file_google_rpc_error_details)

function failure(transport: Transport, code: string, errorMessage: string, details: readonly Any[], get: Get): Played {
  let info: ErrorInfo | undefined
  const others: unknown[] = []
  for (const detail of details) {
    const message = anyUnpack(detail, registry)
    if (message?.$typeName === ErrorInfoSchema.typeName) info = message as ErrorInfo
    else others.push(message === undefined ? detail.typeUrl : jsonOfDetail(message))
  }
  const described = { reason: info?.reason ?? '', metadata: { ...info?.metadata }, details: others }
  return { transport, code, message: undefined, errorMessage, ...described, ...carried(get) }
}

function jsonOfDetail(message: Message): unknown {
  const desc = registry.getMessage(message.$typeName)
  return desc === undefined ? message.$typeName : { type: message.$typeName, value: toJson(desc, message) }
}

function codeName(code: number): string {
  const known = Object.entries(canonicalCode).find(([, number]) => number === code)?.[0]
  return known ?? (code === 12 ? 'UNIMPLEMENTED' : String(code))
}

/** What a client makes of an answer that is none of the protocol's. */
export function codeOfHttpStatus(status: number): number {
  return status === 404 || status === 415 ? 12 : 2
}
