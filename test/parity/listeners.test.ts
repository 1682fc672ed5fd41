import { connect as connectH2 } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { create, toBinary } from '@bufbuild/protobuf'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import {
  CreateWorkspaceRequestSchema,
  GetWorkspaceRequestSchema,
  WorkspaceService,
} from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { type PlayedRequest, playEverywhere, playOne } from './play.ts'
import { transports } from './played.ts'
import { startSmallServer } from './small-server.ts'

const admin = { authorization: 'Bearer admin', 'x-request-id': 'req-1' }
const { createWorkspace, getWorkspace } = WorkspaceService.method
const getting: PlayedRequest = { message: create(GetWorkspaceRequestSchema, { name: 'tenants/acme/workspaces/prod' }) }
const never: PlayedRequest = {
  message: create(CreateWorkspaceRequestSchema, { parent: 'tenants/acme', workspaceId: 'never-one', workspace: {} }),
}

/** What comes back on a raw connection until it closes or `ms` pass. */
function raw(port: number, bytes: string | Buffer, ms = 3_000): Promise<{ text: string; closed: boolean }> {
  return new Promise((resolve) => {
    let text = ''
    const socket: Socket = connectTcp(port, '127.0.0.1', () => void socket.write(bytes))
    const end = (closed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, closed })
    }
    const timer = setTimeout(() => end(false), ms)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('close', () => end(true))
    socket.on('error', () => {})
  })
}

describe('the pages beside the RPCs', () => {
  test('health, readiness, metrics, and 404 for the rest', async () => {
    await using server = await startSmallServer()
    const page = (path: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${server.endpoint.httpPort}${path}`, init)
    expect((await page('/healthz')).status).toBe(200)
    expect((await page('/readyz')).status).toBe(503)
    await playOne(server.endpoint, 'connect json', getWorkspace, getting, admin)
    expect(await (await page('/metrics')).text()).toContain('tenure_rpc_handled_total')
    const missing = await page('/etc/passwd')
    expect(missing.status).toBe(404)
    expect(missing.headers.get('content-type')).toBe('application/json')
    expect((await page('/healthz', { method: 'POST', body: 'x' })).status).toBe(405)
  })

  test('a page that fails says nothing of why', async () => {
    const answer = () => {
      throw new Error('hunter2')
    }
    await using server = await startSmallServer({ routes: [{ method: 'GET', path: '/broken', answer }] })
    const response = await fetch(`http://127.0.0.1:${server.endpoint.httpPort}/broken`)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('hunter2')
  })
})

describe('one port speaks HTTP/1.1 and HTTP/2', () => {
  test('also when the first bytes come one by one', async () => {
    await using server = await startSmallServer()
    const dripping = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connectTcp({ port: server.endpoint.httpPort, host: '127.0.0.1', noDelay: true })
        socket.on('error', reject)
        socket.on('data', (chunk) => {
          resolve(chunk.toString('latin1'))
          socket.destroy()
        })
        let at = 0
        const drip = setInterval(() => {
          if (at >= text.length) clearInterval(drip)
          else socket.write(text[at++] ?? '')
        }, 2)
      })
    expect(await dripping('POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n')).toMatch(/^HTTP\/1\.1 404/)
    // The server's SETTINGS frame: type 4 after a length of three bytes.
    const settings = await dripping('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
    expect(settings.charCodeAt(3)).toBe(4)
  })
})

describe('the process lives', () => {
  test.each([
    [
      'an impossible Host',
      'POST /tenure.v1.WorkspaceService/GetWorkspace HTTP/1.1\r\nhost: a b[\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    ],
    [
      'no Host in HTTP/1.0',
      'POST /tenure.v1.WorkspaceService/GetWorkspace HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    ],
    ['an absolute target', 'GET http://[/tenure.v1.WorkspaceService/GetWorkspace HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['bytes that are no protocol', '\x16\x03\x01\x02\x00\x01\x00'],
    ['half a preface, then nonsense', 'PRI * HTTP/9.9\r\n\r\nxx'],
    ['a header block over the limit', `GET /healthz HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(64 * 1024)}\r\n\r\n`],
    ['two lengths', 'POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx'],
    [
      'a length and chunks',
      'POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('after %s', async (_name, bytes) => {
    await using server = await startSmallServer()
    for (const port of [server.endpoint.httpPort, server.endpoint.grpcPort]) {
      const { text } = await raw(port, Buffer.from(bytes, 'latin1'), 300)
      expect(text).not.toMatch(/^HTTP\/1\.[01] 2/)
    }
    for (const played of await playEverywhere(server.endpoint, getWorkspace, getting, admin))
      expect(played.code).toBe('OK')
  })

  test('after connections that are reset before they say anything, and calls that are reset while they run', async () => {
    await using server = await startSmallServer()
    for (const port of [server.endpoint.httpPort, server.endpoint.grpcPort]) {
      for (let count = 0; count < 20; count += 1) {
        await new Promise<void>((resolve) => {
          const socket = connectTcp(port, '127.0.0.1', () => {
            socket.resetAndDestroy()
            resolve()
          })
        })
      }
      const session = connectH2(`http://127.0.0.1:${port}`)
      session.on('error', () => {})
      for (let count = 0; count < 50; count += 1) {
        const path = `/${createWorkspace.parent.typeName}/${createWorkspace.name}`
        const stream = session.request({
          ...admin,
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
        })
        stream.on('error', () => {})
        stream.write(
          Buffer.concat([
            Buffer.from([0, 0, 0, 0, 40]),
            toBinary(CreateWorkspaceRequestSchema, ('message' in never ? never.message : undefined) as never),
          ]),
        )
        setImmediate(() => stream.close(8))
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
      session.destroy()
    }
    for (const played of await playEverywhere(server.endpoint, getWorkspace, getting, admin))
      expect(played.code).toBe('OK')
  })
})

describe('who sends slowly (slow-loris) is cut off', () => {
  const http = { headersMs: 300, requestMs: 500, drainMs: 100 }
  test.each([
    ['nothing at all', ''],
    ['half a preface', 'PR'],
    ['half a header', 'POST /healthz HTTP/1.1\r\nhost: a\r\nx-a'],
    [
      'half a body',
      'POST /tenure.v1.WorkspaceService/GetWorkspace HTTP/1.1\r\nhost: a\r\nauthorization: Bearer admin\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    ],
  ])('HTTP/1.1: %s', async (_name, bytes) => {
    await using server = await startSmallServer({ http })
    expect((await raw(server.endpoint.httpPort, bytes, 5_000)).closed).toBe(true)
  })

  test.each([['grpcPort'], ['httpPort']] as const)('HTTP/2 on the %s: a body that never ends', async (port) => {
    await using server = await startSmallServer({ http, limits: { maxDeadlineMs: 300 } })
    const session = connectH2(`http://127.0.0.1:${server.endpoint[port]}`)
    const path = `/${getWorkspace.parent.typeName}/${getWorkspace.name}`
    const stream = session.request({
      ...admin,
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.on('error', () => {})
    let status: unknown
    stream.on('response', (head) => {
      status = head['grpc-status']
    })
    stream.write(Buffer.from([0, 0, 0, 0, 40, 10]))
    stream.resume()
    const closed = await Promise.race([
      new Promise((resolve) => stream.once('close', () => resolve('closed'))),
      new Promise((resolve) => setTimeout(() => resolve('open'), 5_000)),
    ])
    expect(closed).toBe('closed')
    // grpc-js can still answer in words; connect-node has no answer to give for a request it never saw whole.
    if (port === 'grpcPort') expect(status).toBe('4')
    session.destroy()
  })
})

describe('a server that is told to stop', () => {
  test('lets running calls finish, takes no new ones, and cuts what does not end', async () => {
    const server = await startSmallServer({ limits: { maxDeadlineMs: 400 } })
    const running = transports.map((transport) => playOne(server.endpoint, transport, createWorkspace, never, admin))
    await expect.poll(() => server.small.calls.length, { timeout: 10_000 }).toBe(running.length)
    const startedMs = performance.now()
    const stopped = server[Symbol.asyncDispose]()
    const codes = (await Promise.all(running)).map((played) => played.code)
    expect(codes).toEqual(transports.map(() => 'DEADLINE_EXCEEDED'))
    await stopped
    expect(performance.now() - startedMs).toBeLessThan(3_000)
    await expect(fetch(`http://127.0.0.1:${server.endpoint.httpPort}/healthz`)).rejects.toThrow()
  })

  test('ends calls that outlive the grace with a reason', async () => {
    const server = await startSmallServer({ http: { drainMs: 100 } })
    const running = (['connect json', 'connect proto', 'grpc-web', 'grpc over connect-node'] as const).map(
      (transport) => playOne(server.endpoint, transport, createWorkspace, never, admin),
    )
    await expect.poll(() => server.small.calls.length, { timeout: 10_000 }).toBe(running.length)
    await server.stopHttp()
    for (const played of await Promise.all(running)) {
      expect(played, played.transport).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' })
    }
    await server.stopGrpc()
  })
})

test('a caller who goes away aborts the signal of the handler, on both listeners', async () => {
  await using server = await startSmallServer()
  for (const port of [server.endpoint.grpcPort, server.endpoint.httpPort]) {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
    const metadata = new Metadata()
    metadata.set('authorization', 'Bearer admin')
    const same = (bytes: Buffer) => bytes
    const bytes = Buffer.from(
      toBinary(CreateWorkspaceRequestSchema, ('message' in never ? never.message : undefined) as never),
    )
    const before = server.small.calls.length
    const call = client.makeUnaryRequest(
      '/tenure.v1.WorkspaceService/CreateWorkspace',
      same,
      same,
      bytes,
      metadata,
      () => {},
    )
    await expect.poll(() => server.small.calls.length).toBe(before + 1)
    const signal = server.small.calls[before]?.call.signal
    expect(signal?.aborted).toBe(false)
    call.cancel()
    await expect.poll(() => signal?.aborted).toBe(true)
    client.close()
  }
})

test('the address of the caller reaches the handler on every transport', async () => {
  await using server = await startSmallServer()
  await playEverywhere(server.endpoint, getWorkspace, getting, admin)
  expect(server.small.calls.map((seen) => seen.call.clientIp)).toEqual(transports.map(() => '127.0.0.1'))
})

test('a gzip bomb is refused by its unpacked size', async () => {
  await using server = await startSmallServer()
  const { gzipSync } = await import('node:zlib')
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20))
  const url = `http://127.0.0.1:${server.endpoint.httpPort}/tenure.v1.WorkspaceService/GetWorkspace`
  const headers = { ...admin, 'content-type': 'application/json', 'content-encoding': 'gzip' }
  const response = await fetch(url, { method: 'POST', headers, body: bomb })
  expect(await response.text()).toContain('"code":"resource_exhausted"')
  const frame = Buffer.alloc(5)
  frame.writeUInt8(1, 0)
  frame.writeUInt32BE(bomb.length, 1)
  for (const port of [server.endpoint.grpcPort, server.endpoint.httpPort]) {
    const session = connectH2(`http://127.0.0.1:${port}`)
    const path = `/${getWorkspace.parent.typeName}/${getWorkspace.name}`
    const stream = session.request({
      ...admin,
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-encoding': 'gzip',
    })
    const status = await new Promise((resolve) => {
      stream.on('response', (head) => head['grpc-status'] !== undefined && resolve(head['grpc-status']))
      stream.on('trailers', (trailers) => resolve(trailers['grpc-status']))
      stream.on('error', () => {})
      stream.resume()
      stream.end(Buffer.concat([frame, bomb]))
    })
    expect(String(status)).toBe('8')
    session.destroy()
  }
})
