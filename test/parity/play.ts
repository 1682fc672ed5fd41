import { type ClientHttp2Session, connect } from 'node:http2'
import { type DescMethod, fromBinary, type Message, toBinary, toJson, toJsonString } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { packedRegistry } from '../../src/rpc/packed-messages.ts'
import {
  codeOfHttpStatus,
  failed,
  failedConnect,
  type Played,
  succeeded,
  type Transport,
  transports,
} from './played.ts'

/** Where the two listeners of one server are. */
export interface Endpoint {
  readonly host: string
  readonly grpcPort: number
  readonly httpPort: number
}

/** A message goes over every protocol; raw bytes over the binary ones, raw JSON over the one that speaks it. */
export type PlayedRequest =
  | { readonly message: Message }
  | { readonly bytes: Uint8Array }
  | { readonly json: string | Uint8Array }

type Headers = Readonly<Record<string, string>>

/** Plays one call over every protocol that can carry it, one after the other. */
export async function playEverywhere(
  endpoint: Endpoint,
  method: DescMethod,
  request: PlayedRequest,
  headers: Headers = {},
): Promise<readonly Played[]> {
  const played: Played[] = []
  for (const transport of transports) {
    if (!carries(transport, request)) continue
    played.push(await playOne(endpoint, transport, method, request, headers))
  }
  return played
}

export function playOne(
  endpoint: Endpoint,
  transport: Transport,
  method: DescMethod,
  request: PlayedRequest,
  headers: Headers = {},
): Promise<Played> {
  const { host, grpcPort, httpPort } = endpoint
  if (transport === 'grpc-js')
    return playGrpc(transport, `${host}:${grpcPort}`, method, bytesOf(method, request), headers)
  if (transport === 'grpc over connect-node')
    return playGrpc(transport, `${host}:${httpPort}`, method, bytesOf(method, request), headers)
  const url = `http://${host}:${httpPort}`
  if (transport === 'connect proto') return playConnectProto(url, method, bytesOf(method, request), headers)
  if (transport === 'connect json') return playConnectJson(url, method, jsonOf(method, request), headers)
  return playGrpcWeb(url, method, bytesOf(method, request), headers)
}

/** What must be the same on every transport: all but its name. */
export function comparable(played: Played): Omit<Played, 'transport'> {
  const { transport: _, ...rest } = played
  return rest
}

function carries(transport: Transport, request: PlayedRequest): boolean {
  if ('message' in request) return true
  return 'json' in request ? transport === 'connect json' : transport !== 'connect json'
}

function bytesOf(method: DescMethod, request: PlayedRequest): Uint8Array {
  if ('message' in request) return toBinary(method.input, request.message)
  if ('bytes' in request) return request.bytes
  throw new Error('a JSON text has no bytes')
}

function jsonOf(method: DescMethod, request: PlayedRequest): string | Uint8Array {
  if ('message' in request) return toJsonString(method.input, request.message)
  if ('json' in request) return request.json
  throw new Error('bytes have no JSON text')
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`
}

function playGrpc(
  transport: Transport,
  address: string,
  method: DescMethod,
  bytes: Uint8Array,
  headers: Headers,
): Promise<Played> {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 })
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  const same = (buffer: Buffer) => buffer
  const deadline = Date.now() + 20_000
  return new Promise((resolve) => {
    let head = new Metadata()
    const call = client.makeUnaryRequest(
      pathOf(method),
      same,
      same,
      Buffer.from(bytes),
      metadata,
      { deadline },
      (error: ServiceError | null, answer?: Buffer) => {
        client.close()
        const get = (name: string) => String(error?.metadata.get(name)[0] ?? head.get(name)[0] ?? '')
        if (error === null)
          resolve(
            succeeded(
              transport,
              toJson(method.output, fromBinary(method.output, answer ?? Buffer.alloc(0)), { registry: packedRegistry }),
              get,
            ),
          )
        else
          resolve(
            failed(
              transport,
              error.code,
              error.details,
              error.metadata.get('grpc-status-details-bin')[0] as Buffer | undefined,
              get,
            ),
          )
      },
    )
    call.on('metadata', (received) => {
      head = received
    })
  })
}

async function playConnectJson(
  url: string,
  method: DescMethod,
  body: string | Uint8Array,
  headers: Headers,
): Promise<Played> {
  const sent = { ...headers, 'content-type': 'application/json' }
  const response = await fetch(url + pathOf(method), {
    method: 'POST',
    headers: sent,
    body: typeof body === 'string' ? body : new Uint8Array(body),
  })
  const get = (name: string) => response.headers.get(name) ?? ''
  const text = await response.text()
  if (response.status === 200) return succeeded('connect json', JSON.parse(text), get)
  return failedConnect('connect json', response.status, text, get)
}

async function playConnectProto(url: string, method: DescMethod, bytes: Uint8Array, headers: Headers): Promise<Played> {
  const session = connect(url)
  try {
    const sent = { ...headers, 'content-type': 'application/proto' }
    const { status, head, body } = await requestH2(session, pathOf(method), sent, bytes)
    const get = (name: string) => String(head[name] ?? '')
    if (status === 200)
      return succeeded(
        'connect proto',
        toJson(method.output, fromBinary(method.output, body), { registry: packedRegistry }),
        get,
      )
    return failedConnect('connect proto', status, body.toString('utf8'), get)
  } finally {
    session.close()
  }
}

function requestH2(session: ClientHttp2Session, path: string, headers: Headers, bytes: Uint8Array) {
  return new Promise<{ status: number; head: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
    const stream = session.request({ ...headers, ':method': 'POST', ':path': path })
    const chunks: Buffer[] = []
    let head: Record<string, unknown> = {}
    stream.on('response', (received) => {
      head = received
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve({ status: Number(head[':status']), head, body: Buffer.concat(chunks) }))
    stream.on('error', reject)
    session.on('error', reject)
    stream.end(bytes)
  })
}

async function playGrpcWeb(url: string, method: DescMethod, bytes: Uint8Array, headers: Headers): Promise<Played> {
  const frame = Buffer.alloc(5 + bytes.length)
  frame.writeUInt32BE(bytes.length, 1)
  frame.set(bytes, 5)
  const sent = { ...headers, 'content-type': 'application/grpc-web+proto' }
  const response = await fetch(url + pathOf(method), { method: 'POST', headers: sent, body: frame })
  const body = Buffer.from(await response.arrayBuffer())
  let message = Buffer.alloc(0)
  const trailers = new Map<string, string>()
  for (let at = 0; at + 5 <= body.length; ) {
    const length = body.readUInt32BE(at + 1)
    const payload = body.subarray(at + 5, at + 5 + length)
    if ((body.readUInt8(at) & 0x80) === 0) message = payload
    else
      for (const line of payload.toString('latin1').split('\r\n'))
        trailers.set(line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1).trim())
    at += 5 + length
  }
  const get = (name: string) => response.headers.get(name) ?? trailers.get(name) ?? ''
  if (response.status !== 200) return failed('grpc-web', codeOfHttpStatus(response.status), '', undefined, get)
  const code = Number(get('grpc-status') || '0')
  if (code === 0)
    return succeeded(
      'grpc-web',
      toJson(method.output, fromBinary(method.output, message), { registry: packedRegistry }),
      get,
    )
  const details = get('grpc-status-details-bin')
  const errorMessage = decodeURIComponent(get('grpc-message'))
  return failed('grpc-web', code, errorMessage, details === '' ? undefined : Buffer.from(details, 'base64'), get)
}
