import { type ClientHttp2Session, connect } from 'node:http2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { bearer, callJson } from './caller.ts'
import { type ChildRig, startChildRig } from './child-rig.ts'
import { gzipBomb } from './hostile-bytes.ts'

let rig: ChildRig
let before: number

beforeAll(async () => {
  rig = await startChildRig()
  before = rig.residentMegabytes()
})

afterAll(() => rig[Symbol.asyncDispose]())

const { listUsers } = UserService.method

interface Sent {
  readonly name: string
  readonly url: () => string
  readonly headers: Readonly<Record<string, string>>
  readonly isFramed: boolean
}

const native = () => `http://127.0.0.1:${rig.child.grpcPort}`
const other = () => rig.child.httpUrl
const wires: readonly Sent[] = [
  { name: 'native gRPC', url: native, headers: grpc('application/grpc'), isFramed: true },
  { name: 'gRPC over the other listener', url: other, headers: grpc('application/grpc'), isFramed: true },
  { name: 'gRPC-Web', url: other, headers: grpc('application/grpc-web+proto'), isFramed: true },
  {
    name: 'Connect binary',
    url: other,
    headers: { 'content-type': 'application/proto', 'content-encoding': 'gzip' },
    isFramed: false,
  },
]

function grpc(type: string): Readonly<Record<string, string>> {
  return { 'content-type': type, 'grpc-encoding': 'gzip', te: 'trailers' }
}

/** A frame that says that it is compressed. */
function framed(bomb: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(1)
  head.writeUInt32BE(bomb.length, 1)
  return Buffer.concat([head, bomb])
}

/** The status it is refused with, on whatever way the protocol says it. */
function refusalOf(session: ClientHttp2Session, headers: Readonly<Record<string, string>>, body: Uint8Array) {
  return new Promise<string>((resolve, reject) => {
    const path = `/${listUsers.parent.typeName}/${listUsers.name}`
    const stream = session.request({ ':method': 'POST', ':path': path, ...bearer(rig.rootKey), ...headers })
    let said = ''
    const hear = (each: Record<string, unknown>) => {
      said += each['grpc-status'] === undefined ? '' : `grpc-status: ${each['grpc-status']}`
      if (each[':status'] !== undefined && each[':status'] !== 200) said += `http ${each[':status']}`
    }
    stream.on('response', hear)
    stream.on('trailers', hear)
    stream.on('data', (chunk) => {
      said += String(chunk)
    })
    stream.on('end', () => resolve(said))
    stream.on('error', reject)
    stream.end(body)
  })
}

test.each(wires)(
  'a message that unpacks to a thousand times its size is refused unread over $name',
  async ({ url, headers, isFramed }) => {
    const bomb = gzipBomb()
    for (let round = 0; round < 5; round += 1) {
      const session = connect(url())
      try {
        const said = await refusalOf(session, headers, isFramed ? framed(bomb) : bomb)
        // RESOURCE_EXHAUSTED, INVALID_ARGUMENT, or UNIMPLEMENTED where nothing packed is read at all.
        expect(said).toMatch(/grpc-status: (?:8|3|12)\b|http (?:400|413|415|429)/)
      } finally {
        session.destroy()
      }
    }
  },
)

test('after them the process lives, answers, and has not grown', async () => {
  expect(rig.child.process.exitCode).toBeNull()
  const body = JSON.stringify({ parent: 'tenants/never-was' })
  expect((await callJson(rig.child.httpUrl, listUsers, body, bearer(rig.rootKey))).code).toBe('not_found')
  expect(rig.residentMegabytes() - before).toBeLessThan(50)
})
