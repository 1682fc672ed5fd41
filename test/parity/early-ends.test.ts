import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CreateWorkspaceRequestSchema,
  GetWorkspaceRequestSchema,
  WorkspaceService,
} from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { type PlayedRequest, playEverywhere, playOne } from './play.ts'
import { transports } from './played.ts'
import { type SmallServer, startSmallServer } from './small-server.ts'

let server: SmallServer
beforeAll(async () => {
  server = await startSmallServer({ limits: { maxDeadlineMs: 500 } })
})
afterAll(async () => server[Symbol.asyncDispose]())

const admin = { authorization: 'Bearer admin', 'x-request-id': 'req-1' }
const { createWorkspace, getWorkspace } = WorkspaceService.method

function creating(workspaceId: string): PlayedRequest {
  const parent = 'tenants/acme'
  return { message: create(CreateWorkspaceRequestSchema, { parent, workspaceId, workspace: { displayName: 'x' } }) }
}

function getting(name: string): PlayedRequest {
  return { message: create(GetWorkspaceRequestSchema, { name }) }
}

describe('what carries a code only, or ends early', () => {
  test('an unknown method is UNIMPLEMENTED', async () => {
    const method = { ...getWorkspace, name: 'TakeOver' } as typeof getWorkspace
    const played = await playEverywhere(server.endpoint, method, getting('tenants/acme/workspaces/prod'), admin)
    expect(played.map((each) => each.code)).toEqual(transports.map(() => 'UNIMPLEMENTED'))
  })

  test('a message over 1 MiB is RESOURCE_EXHAUSTED', async () => {
    const name = 'x'.repeat(1024 * 1024 + 1)
    const played = await playEverywhere(server.endpoint, getWorkspace, getting(name), admin)
    expect(played.map((each) => each.code)).toEqual(transports.map(() => 'RESOURCE_EXHAUSTED'))
    expect(played.map((each) => each.reason)).toEqual(transports.map(() => 'REQUEST_TOO_LARGE'))
  })

  test('a body without a length that grows over 1 MiB is refused in words, and the connection lives on', async () => {
    const { host, httpPort } = server.endpoint
    const body = new ReadableStream({
      start(controller) {
        for (let part = 0; part < 40; part += 1) controller.enqueue(new Uint8Array(64 * 1024).fill(0x20))
        controller.close()
      },
    })
    const headers = { ...admin, 'content-type': 'application/json' }
    const url = `http://${host}:${httpPort}/tenure.v1.WorkspaceService/GetWorkspace`
    const response = await fetch(url, { method: 'POST', headers, body, duplex: 'half' })
    expect(response.status).toBe(429)
    expect(await response.text()).toContain('"code":"resource_exhausted"')
    const next = await playOne(
      server.endpoint,
      'connect json',
      getWorkspace,
      getting('tenants/acme/workspaces/prod'),
      admin,
    )
    expect(next.code).toBe('OK')
  })

  test("a client's own deadline ends the call on the server with the details of every other failure", async () => {
    const timed = { 'connect-timeout-ms': '150', 'grpc-timeout': '150m' }
    for (const transport of transports) {
      const played = await playOne(server.endpoint, transport, createWorkspace, creating('never-one'), {
        ...admin,
        ...timed,
      })
      expect(played.code, transport).toBe('DEADLINE_EXCEEDED')
    }
  })

  test('a deadline longer than the server allows is cut, not refused', async () => {
    for (const transport of ['connect json', 'connect proto', 'grpc-web'] as const) {
      const headers = { ...admin, 'connect-timeout-ms': '9999999999', 'grpc-timeout': '99999999H' }
      const played = await playOne(
        server.endpoint,
        transport,
        getWorkspace,
        getting('tenants/acme/workspaces/prod'),
        headers,
      )
      expect(played.code, transport).toBe('OK')
    }
  })
})
