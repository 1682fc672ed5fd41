import { randomBytes, randomFillSync } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { systemClock } from '../../src/base/clock.ts'
import { invalidField, notFound, permissionMissing, TenureError } from '../../src/base/errors.ts'
import {
  createIds,
  type PrincipalId,
  platformTenantId,
  type TenantId,
  tenantLevel,
  type WorkspaceId,
} from '../../src/base/ids.ts'
import type { Place } from '../../src/base/resource-name.ts'
import {
  AccessService,
  AuthorizeResponseSchema,
  BatchAuthorizeResponseSchema,
  Decision,
  GetCallerResponseSchema,
} from '../../src/gen/tenure/v1/access_service_pb.ts'
import {
  ArchiveWorkspaceResponseSchema,
  CreateWorkspaceResponseSchema,
  DeleteWorkspaceResponseSchema,
  GetWorkspaceResponseSchema,
  ListWorkspacesResponseSchema,
  PurgeWorkspaceResponseSchema,
  UnarchiveWorkspaceResponseSchema,
  UndeleteWorkspaceResponseSchema,
  UpdateWorkspaceResponseSchema,
  WorkspaceService,
} from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { createLog, type Log, type LogLevel } from '../../src/observe/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { type Call, type Caller, implement, type ServiceImplementation } from '../../src/rpc/call.ts'
import { createHealth, type HealthParts } from '../../src/rpc/health.ts'
import { compilePolicies } from '../../src/rpc/method-policy.ts'
import { createPipeline, type Pipeline, type PipelineLimits } from '../../src/rpc/pipeline.ts'
import type { AccessEvent, Authenticator, Gate } from '../../src/rpc/ports.ts'
import { createReflection } from '../../src/rpc/reflection.ts'
import type { TenantContext } from '../../src/tenancy/tenant-context.ts'
import { createConnectHandler } from '../../src/transport/connect/connect-handler.ts'
import { createGrpcServer } from '../../src/transport/grpc/grpc-server.ts'
import { createHttpServer, type HttpLimits } from '../../src/transport/http/http-server.ts'
import { probeRoutes, type Route } from '../../src/transport/http/routes.ts'
import type { Endpoint } from './play.ts'

const acmeTenantId = '018f0000-0000-7000-8000-00000000000a' as TenantId
export const prodWorkspaceId = '018f0000-0000-7000-8000-0000000000aa' as WorkspaceId
const permissions: ReadonlySet<string> = new Set([
  'workspaces.purge',
  'access.check',
  ...['create', 'get', 'list', 'update', 'archive', 'unarchive', 'delete', 'undelete'].map(
    (verb) => `workspaces.${verb}`,
  ),
])

function callerOf(name: string): Caller {
  const platform = name === 'root'
  const tenant = platform ? '' : 'acme'
  const principal = platform ? 'serviceAccounts/root' : `tenants/acme/serviceAccounts/${name}`
  return {
    principal,
    principalKind: 'service_account',
    principalId: `018f0000-0000-7000-8000-${name.padStart(12, '0').replace(/[^0-9a-f]/g, 'b')}` as PrincipalId,
    tenantId: platform ? platformTenantId : acmeTenantId,
    tenantSlug: tenant,
    workspaceId: tenantLevel,
    workspaceSlug: '',
    credentialKind: 'api_key',
    credential: platform ? 'apiKeys/k' : 'tenants/acme/apiKeys/k',
    credentialId: 'k',
    expireTimeMs: undefined,
  }
}

/** `Bearer root`, `Bearer admin` and `Bearer reader` (who may only get) are known; `Bearer slow-admin` after a promise. */
export const authenticator: Authenticator = {
  authenticate(authorization) {
    const name = authorization.replace(/^Bearer /, '')
    if (name === 'slow-admin') return Promise.resolve(callerOf('admin'))
    if (!['root', 'admin', 'reader'].includes(name)) {
      throw new TenureError('CREDENTIAL_INVALID', 'The credential is not valid.')
    }
    return callerOf(name)
  },
}

const gate: Gate = {
  admit(caller, place, demand, actor): TenantContext {
    if (place.tenant !== 'acme' || !['', 'prod', 'dev'].includes(place.workspace)) throw notFound()
    if (caller.principal.endsWith('/reader') && demand.write) throw permissionMissing(demand.permission)
    return contextOf(place, actor)
  },
  admitPlatform(caller, permission) {
    if (caller.tenantId !== platformTenantId) throw permissionMissing(permission)
  },
  async readmitPlatform(caller, permission) {
    gate.admitPlatform(caller, permission)
  },
}

function contextOf(place: Place, actor: TenantContext['actor']): TenantContext {
  const workspaceId = place.workspace === '' ? tenantLevel : prodWorkspaceId
  const where = { tenantId: acmeTenantId, tenantSlug: place.tenant, workspaceId, workspaceSlug: place.workspace }
  return Object.freeze({ ...where, region: 'local', tier: 'free', placementEpoch: 1, revision: 6, actor })
}

const allowed = toBinary(
  AuthorizeResponseSchema,
  create(AuthorizeResponseSchema, { decision: Decision.ALLOW, revision: 'r1' }),
)

const accessService = implement(AccessService, {
  authorize: () => ({ encoded: allowed }),
  batchAuthorize: () => create(BatchAuthorizeResponseSchema),
  getCaller: (_request, call) => create(GetCallerResponseSchema, { principal: call.caller?.principal ?? '' }),
})

const failures: Readonly<Record<string, () => Error>> = {
  'taken-one': () => new TenureError('ALREADY_EXISTS', 'There is one of that name already.'),
  'stale-one': () => new TenureError('ETAG_MISMATCH', 'It has changed since it was read.'),
  'busy-one': () => new TenureError('STALE', 'Not fresh enough.', { retryAfterMs: 1_500 }),
  'stuck-one': () => new TenureError('INVALID_STATE', 'Not in its state.', { metadata: { state: 'ARCHIVED' } }),
  'broken-one': () => new Error('the database password is hunter2'),
  'ugly-one': () => invalidField('workspace_id', `bad \ud800 ${'x'.repeat(5_000)}`),
  'rich-one': () => new TenureError('INVALID_FIELD', 'many', { fieldViolations: manyViolations() }),
  'large-grant': () =>
    new TenureError('GRANT_EXCEEDS_CALLER', 'You do not hold that.', { metadata: { permission: 'a.b' } }),
}

function manyViolations() {
  return Array.from({ length: 500 }, (_, index) => ({ field: `items[${index}].name`, description: 'must be shorter' }))
}

function workspaceService(seen: (call: Call, request: unknown) => void) {
  const workspace = { name: 'tenants/acme/workspaces/prod', displayName: 'Grüße 🎈' }
  return implement(WorkspaceService, {
    createWorkspace: (request, call) => {
      seen(call, request)
      const failure = failures[request.workspaceId]?.()
      if (failure !== undefined) throw failure
      if (request.workspaceId === 'never-one') return new Promise<never>(() => {})
      return Promise.resolve(create(CreateWorkspaceResponseSchema, { workspace, revision: 'rev-7' }))
    },
    getWorkspace: (request, call) => {
      seen(call, request)
      return create(GetWorkspaceResponseSchema, { workspace: { ...workspace, name: request.name } })
    },
    listWorkspaces: () => create(ListWorkspacesResponseSchema),
    updateWorkspace: () => create(UpdateWorkspaceResponseSchema, { workspace, revision: 'rev-8' }),
    archiveWorkspace: () => create(ArchiveWorkspaceResponseSchema, { revision: 'rev-9' }),
    unarchiveWorkspace: () => create(UnarchiveWorkspaceResponseSchema, { revision: 'rev-10' }),
    deleteWorkspace: () => ({
      encoded: toBinary(DeleteWorkspaceResponseSchema, create(DeleteWorkspaceResponseSchema, { revision: 'rev-11' })),
    }),
    undeleteWorkspace: () => create(UndeleteWorkspaceResponseSchema, { revision: 'rev-12' }),
    purgeWorkspace: () => create(PurgeWorkspaceResponseSchema, { revision: 'rev-13' }),
  })
}

const pool = randomBytes(4096)
let used = pool.length
function pooledRandom(bytes: Uint8Array): void {
  if (used + bytes.length > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  bytes.set(pool.subarray(used, used + bytes.length))
  used += bytes.length
}

export interface SmallPipeline {
  readonly pipeline: Pipeline
  readonly health: HealthParts
  readonly recorded: AccessEvent[]
  readonly calls: { call: Call; request: unknown }[]
  readonly logLines: string[]
  readonly metrics: ReturnType<typeof createMetrics>
  readonly log: Log
}

export function createSmallPipeline(limits: Partial<PipelineLimits> = {}, level: LogLevel = 'debug'): SmallPipeline {
  const recorded: AccessEvent[] = []
  const calls: { call: Call; request: unknown }[] = []
  const logLines: string[] = []
  const log = createLog({ level, destination: { write: (line) => void logLines.push(line) } })
  const services: ServiceImplementation[] = [
    accessService,
    workspaceService((call, request) => void calls.push({ call, request })),
  ]
  const descs = services.map((implementation) => implementation.service)
  const health = createHealth(descs)
  const metrics = createMetrics()
  const all = [...services, health.implementation]
  const pipeline = createPipeline({
    services: all,
    streams: [...health.streams, ...createReflection(all.map((implementation) => implementation.service))],
    policies: compilePolicies([...descs, health.implementation.service], permissions),
    authenticator,
    gate,
    freshness: { atLeast: () => undefined },
    recorder: {
      record: (event) => void recorded.push(event),
      recordDurably: async (event) => void recorded.push(event),
    },
    requestHashKey: Buffer.alloc(32),
    clock: systemClock,
    ids: createIds(systemClock, pooledRandom),
    log,
    metrics,
    limits,
  })
  return { pipeline, health, recorded, calls, logLines, metrics, log }
}

export interface SmallServer extends AsyncDisposable {
  readonly endpoint: Endpoint
  readonly small: SmallPipeline
  stopGrpc(): Promise<void>
  stopHttp(): Promise<void>
}

export interface SmallServerOptions {
  readonly limits?: Partial<PipelineLimits>
  readonly http?: Partial<HttpLimits>
  readonly routes?: readonly Route[]
}

export async function startSmallServer(options: SmallServerOptions = {}): Promise<SmallServer> {
  const small = createSmallPipeline(options.limits)
  const grpc = createGrpcServer({ pipeline: small.pipeline, drainMs: 1_000 })
  const probes = { isHealthy: () => true, isReady: () => false, metrics: small.metrics }
  const http = createHttpServer({
    rpc: createConnectHandler(small.pipeline),
    routes: [...probeRoutes(probes), ...(options.routes ?? [])],
    log: small.log,
    limits: { drainMs: 1_000, ...options.http },
  })
  const host = '127.0.0.1'
  const grpcPort = await grpc.listen(`${host}:0`)
  const httpPort = await http.listen(host, 0)
  small.health.setServing(true)
  return {
    endpoint: { host, grpcPort, httpPort },
    small,
    stopGrpc: async () => grpc[Symbol.asyncDispose](),
    stopHttp: async () => http[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([grpc[Symbol.asyncDispose](), http[Symbol.asyncDispose]()])
    },
  }
}
