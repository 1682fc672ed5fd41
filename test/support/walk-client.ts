import { connect } from 'node:http2'
import {
  create,
  createRegistry,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf'
import { file_google_rpc_error_details } from '../../src/gen/google/rpc/error_details_pb.ts'
import { type Exchanged, exchange, framed } from './http2-exchange.ts'

const registry = createRegistry(file_google_rpc_error_details)

/** A question to one of the servers. */
export interface WalkCall {
  readonly method: DescMethod
  readonly request: Message
}

export interface WalkAnswer {
  /** Empty: it was answered. */
  readonly reason: string
  readonly message: Message | undefined
  /** Every byte of it that can carry a word, as latin1: body, and what a refusal says. */
  readonly raw: string
  readonly startMs: number
  readonly endMs: number
}

export interface WalkServer extends Disposable {
  readonly name: string
  readonly httpUrl: string
  /** Rejects only where there is no answer at all. */
  call(wire: WalkWire, call: WalkCall, key: string): Promise<WalkAnswer>
}

export type WalkWire = 'grpc' | 'json'

export function callOf<M extends DescMethod>(method: M, request: MessageInitShape<M['input']>): WalkCall {
  return { method, request: create(method.input, request as never) as Message }
}

export function openWalkServer(
  name: string,
  { grpcPort, httpUrl }: { readonly grpcPort: number; readonly httpUrl: string },
): WalkServer {
  const sessions = { grpc: connect(`http://127.0.0.1:${grpcPort}`), json: connect(httpUrl) }
  for (const session of Object.values(sessions)) session.setMaxListeners(0)
  return {
    ...{ name, httpUrl },
    async call(wire, { method, request }, key) {
      const startMs = performance.now()
      const body = wire === 'grpc' ? framed(toBinary(method.input, request)) : toJsonString(method.input, request)
      const exchanged = await exchange(
        sessions[wire],
        `/${method.parent.typeName}/${method.name}`,
        {
          'content-type': wire === 'grpc' ? 'application/grpc' : 'application/json',
          te: 'trailers',
          authorization: `Bearer ${key}`,
        },
        body,
      )
      const read = wire === 'grpc' ? readGrpc(method, exchanged) : readJson(method, exchanged)
      return { ...read, startMs, endMs: performance.now() }
    },
    [Symbol.dispose]() {
      for (const session of Object.values(sessions)) session.close()
    },
  }
}

type Read = Pick<WalkAnswer, 'reason' | 'message' | 'raw'>

function readGrpc(method: DescMethod, { headers, trailers, body }: Exchanged): Read {
  const said = { ...headers, ...trailers }
  const raw = body.toString('latin1')
  if (said['grpc-status'] === '0') {
    return { reason: '', message: fromBinary(method.output, body.subarray(5)), raw }
  }
  const details = Buffer.from(String(said['grpc-status-details-bin'] ?? ''), 'base64').toString('latin1')
  return { reason: reasonIn(details), message: undefined, raw: `${raw}${said['grpc-message']}${details}` }
}

/** Of the details of a refusal: the first capitals that stand where ErrorInfo begins. */
function reasonIn(details: string): string {
  return /ErrorInfo[\s\S]{1,6}?([A-Z][A-Z_]{2,})/.exec(details)?.[1] ?? `no reason in ${JSON.stringify(details)}`
}

function readJson(method: DescMethod, { headers, body }: Exchanged): Read {
  const text = body.toString('utf8')
  if (Number(headers[':status']) === 200) {
    return { reason: '', message: fromJson(method.output, JSON.parse(text) as JsonValue, { registry }), raw: text }
  }
  const reason = /"reason":"([A-Z_]+)"/.exec(text)?.[1]
  const inside = [...text.matchAll(/"value":"([^"]+)"/g)].map(([, value]) => Buffer.from(value ?? '', 'base64'))
  return {
    reason: reason ?? `no reason in ${text}`,
    message: undefined,
    raw: text + Buffer.concat(inside).toString('latin1'),
  }
}
