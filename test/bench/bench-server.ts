import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { create, toBinary } from '@bufbuild/protobuf'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { AuthorizeRequestSchema } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { startTestServer } from '../support/test-server.ts'
import { framed } from './grpc-frame.ts'

const tenants = 1_000
const path = '/tenure.v1.AccessService/Authorize'

interface Ready {
  readonly port: number
  readonly path: string
  readonly key: string
  readonly bodies: readonly string[]
}

function questionFor(tenant: string): string {
  const request = create(AuthorizeRequestSchema, {
    parent: `${tenant}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'user', value: `${tenant}/users/alice` } } },
    permission: 'orders.read',
  })
  return framed(toBinary(AuthorizeRequestSchema, request))
}

async function serveAuthorize(): Promise<Ready> {
  const test = await startTestServer()
  process.once('SIGTERM', () => void test[Symbol.asyncDispose]().then(() => process.exit(0)))
  await test.client(RoleService).createPermission({ permissionId: 'orders.read' })
  const bodies: string[] = []
  for (let index = 0; index < tenants; index += 1) {
    const name = `tenants/t-${index}`
    await test.client(TenantService).createTenant({ tenantId: `t-${index}` })
    await test.client(WorkspaceService).createWorkspace({ parent: name, workspaceId: 'prod' })
    const user = { issuer: 'https://idp.example', subject: 'alice' }
    await test.client(UserService).createUser({ parent: name, userId: 'alice', user })
    const membership = { member: { case: 'user' as const, value: `${name}/users/alice` }, roles: ['roles/member'] }
    await test.client(MembershipService).createMembership({ parent: `${name}/workspaces/prod`, membership })
    bodies.push(questionFor(name))
  }
  const roles = ['roles/platform.admin']
  await test
    .client(ServiceAccountService)
    .createServiceAccount({ serviceAccountId: 'orders', serviceAccount: { roles } })
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/orders' }
  const { secret } = await test.client(ApiKeyService).createApiKey({ apiKey: { owner, permissions: ['access.check'] } })
  return { port: test.server.grpcPort, path, key: secret, bodies }
}

async function serveGrpcEcho(): Promise<Ready> {
  const server = new Server()
  const same = (bytes: Buffer) => bytes
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
  server.addService(
    { authorize: method },
    {
      authorize: (call: { request: Buffer }, answer: (error: null, bytes: Buffer) => void) =>
        answer(null, call.request),
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  process.once('SIGTERM', () => process.exit(0))
  return { port, path, key: 'x'.repeat(105), bodies: [questionFor('tenants/t-500')] }
}

async function serveHttp2Echo(): Promise<Ready> {
  const server = createServer()
  server.on('stream', (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.concat(chunks))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  process.once('SIGTERM', () => process.exit(0))
  return {
    port: (server.address() as AddressInfo).port,
    path,
    key: 'x'.repeat(105),
    bodies: [questionFor('tenants/t-500')],
  }
}

const serve = { authorize: serveAuthorize, 'grpc-js echo': serveGrpcEcho, 'http2 echo': serveHttp2Echo }
const ready = await serve[process.argv[2] as keyof typeof serve]()
process.stdout.write(`${JSON.stringify(ready)}\n`)
