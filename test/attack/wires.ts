import { connect, type IncomingHttpHeaders } from 'node:http2'
import { type DescMethod, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { packedRegistry } from '../../src/rpc/packed-messages.ts'
import { failed, failedConnect, type Played } from '../parity/played.ts'
import { type Exchanged, exchange, framed } from '../support/http2-exchange.ts'
import type { Json } from './request-maker.ts'

export type Wire = 'native gRPC' | 'Connect JSON' | 'Connect binary' | 'gRPC-Web'
export const everyWire: readonly Wire[] = ['Connect JSON', 'native gRPC', 'Connect binary', 'gRPC-Web']

/** An answer as its bytes came, and what they say. */
export interface WireAnswer {
  /** As Connect writes it, on every wire; `ok`. */
  readonly code: string
  readonly reason: string
  readonly message: string
  /** Of a success. */
  readonly body: JsonValue | undefined
  /** Everything a caller can tell two answers apart by: status, headers, body, trailers. */
  readonly seen: string
  /** All bytes, with what lies in base64 in them taken out of it. */
  readonly bytes: Buffer
}

/** The two listeners of one server, over connections that are kept. */
export interface Wires extends Disposable {
  call(wire: Wire, method: DescMethod, request: Json, headers: Readonly<Record<string, string>>): Promise<WireAnswer>
}

const ofTheCall: ReadonlySet<string> = new Set(['date', 'tenure-request-id'])
const typeOf: Readonly<Record<Wire, string>> = {
  'native gRPC': 'application/grpc+proto',
  'Connect JSON': 'application/json',
  'Connect binary': 'application/proto',
  'gRPC-Web': 'application/grpc-web+proto',
}

export function openWires({ grpcPort, httpPort }: { readonly grpcPort: number; readonly httpPort: number }): Wires {
  const native = connect(`http://127.0.0.1:${grpcPort}`)
  const other = connect(`http://127.0.0.1:${httpPort}`)
  for (const session of [native, other]) session.setMaxListeners(0)
  return {
    async call(wire, method, request, headers) {
      const message = () => toBinary(method.input, fromJson(method.input, request as JsonValue))
      const body =
        wire === 'Connect JSON'
          ? Buffer.from(JSON.stringify(request))
          : wire === 'Connect binary'
            ? message()
            : framed(message())
      // The same id for every call: it stands in the details of some refusals, and is no difference between two.
      const sent = { 'x-request-id': 'attack-1', ...headers, 'content-type': typeOf[wire], te: 'trailers' }
      const path = `/${method.parent.typeName}/${method.name}`
      return read(wire, method, await exchange(wire === 'native gRPC' ? native : other, path, sent, body))
    },
    [Symbol.dispose]() {
      native.close()
      other.close()
    },
  }
}

function read(wire: Wire, method: DescMethod, { headers, trailers, body }: Exchanged): WireAnswer {
  const kept = (each: IncomingHttpHeaders) =>
    Object.entries(each)
      .filter(([name]) => !ofTheCall.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
  // A trailer frame of gRPC-Web is text: what names the call itself goes out of it like a header.
  const text = body.toString('latin1').replace(/(?:tenure-request-id|date): [^\r\n]*\r\n/g, '')
  const seen = JSON.stringify([kept(headers), text, kept(trailers)])
  const { played, message } = parsed(wire, headers, trailers, body)
  const details = Buffer.from(String(trailers['grpc-status-details-bin'] ?? ''), 'base64')
  const inBody = [...text.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)].map(([found]) => Buffer.from(found, 'base64'))
  const bytes = Buffer.concat([Buffer.from(JSON.stringify([headers, trailers])), body, details, ...inBody])
  if (played !== undefined) {
    const code = played.code.toLowerCase().replace('cancelled', 'canceled')
    return { code, reason: played.reason, message: played.errorMessage, body: undefined, seen, bytes }
  }
  const answer =
    wire === 'Connect JSON'
      ? (JSON.parse(message.toString('utf8')) as JsonValue)
      : toJson(method.output, fromBinary(method.output, message), { registry: packedRegistry })
  return { code: 'ok', reason: '', message: '', body: answer, seen, bytes }
}

interface Parsed {
  /** Of a refusal. */
  readonly played: Played | undefined
  readonly message: Buffer
}

function parsed(wire: Wire, headers: IncomingHttpHeaders, trailers: IncomingHttpHeaders, body: Buffer): Parsed {
  if (wire === 'Connect JSON' || wire === 'Connect binary') {
    const status = Number(headers[':status'])
    const get = (name: string) => String(headers[name] ?? '')
    if (status === 200) return { played: undefined, message: body }
    return { played: failedConnect('connect json', status, body.toString('utf8'), get), message: body }
  }
  const frames = framesOf(body)
  const written = Object.fromEntries(
    frames
      .filter(({ flags }) => (flags & 0x80) !== 0)
      .flatMap(({ payload }) => payload.toString('latin1').split('\r\n'))
      .map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1).trim()]),
  )
  const get = (name: string) => String(trailers[name] ?? headers[name] ?? written[name] ?? '')
  const status = Number(get('grpc-status') || '2')
  const message = frames.find(({ flags }) => (flags & 0x80) === 0)?.payload ?? Buffer.alloc(0)
  if (status === 0) return { played: undefined, message }
  const details = get('grpc-status-details-bin')
  const bytes = details === '' ? undefined : Buffer.from(details, 'base64')
  return { played: failed('grpc-js', status, decodeURIComponent(get('grpc-message')), bytes, get), message }
}

function framesOf(body: Buffer): { readonly flags: number; readonly payload: Buffer }[] {
  const frames: { readonly flags: number; readonly payload: Buffer }[] = []
  for (let at = 0; at + 5 <= body.length; ) {
    const length = body.readUInt32BE(at + 1)
    frames.push({ flags: body.readUInt8(at), payload: body.subarray(at + 5, at + 5 + length) })
    at += 5 + length
  }
  return frames
}
