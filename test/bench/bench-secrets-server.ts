import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import {
  AccessSecretVersionRequestSchema,
  AddSecretVersionRequestSchema,
  SecretService,
} from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { IssueTokenRequestSchema } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { startTestServer } from '../support/test-server.ts'
import { framed } from './grpc-frame.ts'

const tenants = 64
const secretsPerTenant = 4
const payload = Buffer.alloc(64, 'x')

export interface SecretsReady {
  readonly port: number
  readonly httpUrl: string
  readonly key: string
  readonly access: readonly string[]
  readonly add: readonly string[]
  readonly issue: readonly string[]
}

function frame<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): string {
  return framed(toBinary(schema, create(schema, message)))
}

const { TENURE_DATABASE_URL, TENURE_KEYRING, VAULT_ADDR, VAULT_TOKEN } = process.env
const given = { TENURE_DATABASE_URL, TENURE_KEYRING, VAULT_ADDR, VAULT_TOKEN }
const env = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Record<
  string,
  string
>
const test = await startTestServer({ env: { ...env, TENURE_DATA_KEY_CACHE_MS: '3600000' } })
process.once('SIGTERM', () => void test[Symbol.asyncDispose]().then(() => process.exit(0)))
await test.client(RoleService).createPermission({ permissionId: 'orders.read', permission: { effect: 1 } })
const access: string[] = []
const add: string[] = []
const issue: string[] = []
for (let at = 0; at < tenants; at += 1) {
  const name = `tenants/t-${at}`
  const parent = `${name}/workspaces/prod`
  const user = `${name}/users/alice`
  await test.client(TenantService).createTenant({ tenantId: `t-${at}` })
  await test.client(WorkspaceService).createWorkspace({ parent: name, workspaceId: 'prod' })
  const identity = { issuer: 'https://idp.example', subject: 'alice' }
  await test.client(UserService).createUser({ parent: name, userId: 'alice', user: identity })
  const membership = { member: { case: 'user' as const, value: user }, roles: ['roles/member'] }
  await test.client(MembershipService).createMembership({ parent, membership })
  issue.push(
    frame(IssueTokenRequestSchema, {
      parent: name,
      principal: { kind: { case: 'user', value: user } },
      audience: ['orders'],
    }),
  )
  for (let secret = 0; secret < secretsPerTenant; secret += 1) {
    const made = await test.client(SecretService).createSecret({ parent, secretId: `s-${secret}` })
    const secretName = made.secret?.name ?? ''
    await test.client(SecretService).addSecretVersion({ parent: secretName, payload })
    access.push(frame(AccessSecretVersionRequestSchema, { name: `${secretName}/versions/1` }))
    add.push(frame(AddSecretVersionRequestSchema, { parent: secretName, payload }))
  }
}
const ready: SecretsReady = {
  ...{ port: test.server.grpcPort, httpUrl: test.httpUrl, key: test.rootKey, access, add, issue },
}
process.stdout.write(`${JSON.stringify(ready)}\n`)
