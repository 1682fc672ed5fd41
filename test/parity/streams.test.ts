import { create, createFileRegistry, fromBinary, getOption } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../src/gen/grpc/health/v1/health_pb.ts'
import {
  ExtensionRequestSchema,
  type ServerReflectionRequest,
  ServerReflection as V1,
} from '../../src/gen/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as V1Alpha } from '../../src/gen/grpc/reflection/v1alpha/reflection_pb.ts'
import { method_policy } from '../../src/gen/tenure/v1/method_policy_pb.ts'
import { type SmallServer, startSmallServer } from './small-server.ts'

type MessageRequest = ServerReflectionRequest['messageRequest']

let server: SmallServer
beforeAll(async () => {
  server = await startSmallServer()
})
afterAll(async () => server[Symbol.asyncDispose]())

const doors = ['grpc-js', 'grpc over connect-node', 'connect'] as const
function transportTo(door: (typeof doors)[number], of: SmallServer = server) {
  const { host, grpcPort, httpPort } = of.endpoint
  if (door === 'grpc-js') return createGrpcTransport({ baseUrl: `http://${host}:${grpcPort}` })
  if (door === 'connect') return createConnectTransport({ baseUrl: `http://${host}:${httpPort}`, httpVersion: '2' })
  return createGrpcTransport({ baseUrl: `http://${host}:${httpPort}` })
}

async function* ask(messageRequest: MessageRequest) {
  yield { host: 'h', messageRequest }
}

describe.each(doors)('over %s', (door) => {
  test('health answers for the server and each service, without a credential, and NOT_FOUND for others', async () => {
    const health = createClient(Health, transportTo(door))
    expect((await health.check({})).status).toBe(Status.SERVING)
    expect((await health.check({ service: 'tenure.v1.WorkspaceService' })).status).toBe(Status.SERVING)
    await expect(health.check({ service: 'other' })).rejects.toMatchObject({ code: 5 })
    expect(Object.keys((await health.list({})).statuses).sort()).toEqual([
      '',
      'tenure.v1.AccessService',
      'tenure.v1.WorkspaceService',
    ])
  })

  test('health watchers are told of every change, and unknown services wait', async () => {
    const health = createClient(Health, transportTo(door))
    const seen: Status[] = []
    const stop = new AbortController()
    const watching = (async () => {
      for await (const { status } of health.watch({}, { signal: stop.signal })) seen.push(status)
    })().catch(() => {})
    await expect.poll(() => seen).toEqual([Status.SERVING])
    server.small.health.setServing(false)
    await expect.poll(() => seen).toEqual([Status.SERVING, Status.NOT_SERVING])
    server.small.health.setServing(true)
    await expect.poll(() => seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING])
    stop.abort()
    await watching
    for await (const { status } of health.watch({ service: 'other' })) {
      expect(status).toBe(Status.SERVICE_UNKNOWN)
      break
    }
  })

  test.each([[V1], [V1Alpha]] as const)('reflection lists services: %s', async (service) => {
    const reflection = createClient(service as typeof V1, transportTo(door))
    for await (const { messageResponse, validHost, originalRequest } of reflection.serverReflectionInfo(
      ask({ case: 'listServices', value: '' }),
    )) {
      expect(validHost).toBe('h')
      expect(originalRequest?.host).toBe('h')
      expect(messageResponse.case).toBe('listServicesResponse')
      const names =
        messageResponse.case === 'listServicesResponse' ? messageResponse.value.service.map(({ name }) => name) : []
      expect(names).toEqual([
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
        'tenure.v1.AccessService',
        'tenure.v1.WorkspaceService',
      ])
    }
  })

  test.each<[string, MessageRequest, string]>([
    ['a file', { case: 'fileByFilename', value: 'tenure/v1/workspace.proto' }, 'tenure/v1/workspace.proto'],
    [
      'a service',
      { case: 'fileContainingSymbol', value: 'tenure.v1.WorkspaceService' },
      'tenure/v1/workspace_service.proto',
    ],
    [
      'a method',
      { case: 'fileContainingSymbol', value: 'tenure.v1.WorkspaceService.GetWorkspace' },
      'tenure/v1/workspace_service.proto',
    ],
    [
      'a nested message',
      { case: 'fileContainingSymbol', value: 'tenure.v1.BatchAuthorizeRequest.Item' },
      'tenure/v1/access_service.proto',
    ],
    [
      'a field',
      { case: 'fileContainingSymbol', value: 'tenure.v1.AuthorizeRequest.parent' },
      'tenure/v1/access_service.proto',
    ],
    [
      'an enum value',
      { case: 'fileContainingSymbol', value: 'tenure.v1.DECISION_DENY' },
      'tenure/v1/access_service.proto',
    ],
    [
      'an extension',
      {
        case: 'fileContainingExtension',
        value: create(ExtensionRequestSchema, {
          containingType: 'google.protobuf.MethodOptions',
          extensionNumber: 50701,
        }),
      },
      'tenure/v1/method_policy.proto',
    ],
  ])('reflection finds the file of %s, with what it imports', async (_name, request, file) => {
    const reflection = createClient(V1, transportTo(door))
    for await (const { messageResponse } of reflection.serverReflectionInfo(ask(request))) {
      if (messageResponse.case !== 'fileDescriptorResponse') throw new Error(messageResponse.case)
      const files = messageResponse.value.fileDescriptorProto.map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      )
      expect(files[0]?.name).toBe(file)
      const names = new Set(files.map(({ name }) => name))
      for (const each of files) for (const dependency of each.dependency) expect(names).toContain(dependency)
    }
  })

  test('reflection says NOT_FOUND, and the stream goes on', async () => {
    const reflection = createClient(V1, transportTo(door))
    async function* many() {
      yield { messageRequest: { case: 'fileByFilename', value: 'nope.proto' } } as const
      yield { messageRequest: { case: 'fileContainingSymbol', value: 'nope.Nope' } } as const
      yield { messageRequest: { case: 'allExtensionNumbersOfType', value: 'nope.Nope' } } as const
      yield { messageRequest: { case: 'fileContainingSymbol', value: '__proto__' } } as const
      yield {}
      yield { messageRequest: { case: 'allExtensionNumbersOfType', value: 'google.protobuf.MethodOptions' } } as const
    }
    const answers: unknown[] = []
    for await (const { messageResponse } of reflection.serverReflectionInfo(many())) {
      answers.push(messageResponse.case === 'errorResponse' ? messageResponse.value.errorCode : messageResponse.value)
    }
    expect(answers).toMatchObject([5, 5, 5, 5, 3, { extensionNumber: expect.arrayContaining([50701]) }])
  })
})

test('what reflection answers still holds the policy of each method', async () => {
  const reflection = createClient(V1, transportTo('grpc-js'))
  for await (const { messageResponse } of reflection.serverReflectionInfo(
    ask({ case: 'fileContainingSymbol', value: 'tenure.v1.WorkspaceService' }),
  )) {
    if (messageResponse.case !== 'fileDescriptorResponse') throw new Error(messageResponse.case)
    const file = messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
    // The registry wants what is imported before what imports it.
    const sorted: FileDescriptorProto[] = []
    const add = (name: string) => {
      const found = file.find((each) => each.name === name)
      if (found === undefined || sorted.includes(found)) return
      found.dependency.forEach(add)
      sorted.push(found)
    }
    for (const { name } of file) add(name)
    const set = create(FileDescriptorSetSchema, { file: sorted })
    const service = createFileRegistry(set).getService('tenure.v1.WorkspaceService')
    const method = service?.methods.find(({ name }) => name === 'CreateWorkspace')
    if (method === undefined) throw new Error('no method')
    expect(getOption(method, method_policy).permission).toBe('workspaces.create')
  }
})

test('a server stream over gRPC-Web on HTTP/1.1', async () => {
  const { host, httpPort } = server.endpoint
  const health = createClient(
    Health,
    createGrpcWebTransport({ baseUrl: `http://${host}:${httpPort}`, httpVersion: '1.1' }),
  )
  for await (const { status } of health.watch({})) {
    expect(status).toBe(Status.SERVING)
    break
  }
})

test('streams end with a reason when the server stops, and do not hold it up', async () => {
  const stopping = await startSmallServer()
  const ends = doors.map(async (door) => {
    try {
      for await (const _ of createClient(Health, transportTo(door, stopping)).watch({}));
      return 'ended'
    } catch (error) {
      return (error as { code: number }).code
    }
  })
  await new Promise((resolve) => setTimeout(resolve, 200))
  const startedMs = performance.now()
  await stopping[Symbol.asyncDispose]()
  expect(performance.now() - startedMs).toBeLessThan(900)
  expect(await Promise.all(ends)).toEqual([14, 14, 14])
})

test('no more streams than the bound, and a place is given back when a watcher goes', async () => {
  await using small = await startSmallServer({ limits: { maxStreams: 1 } })
  for (const door of doors) {
    const health = createClient(Health, transportTo(door, small))
    const gone = new AbortController()
    const first = health.watch({}, { signal: gone.signal })[Symbol.asyncIterator]()
    await first.next()
    await expect(health.watch({})[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 8 })
    gone.abort()
    await first.next().catch(() => {})
    await expect
      .poll(async () => (await small.small.metrics.text()).includes('tenure_rpc_in_flight{class="STREAM"} 0'))
      .toBe(true)
  }
})
