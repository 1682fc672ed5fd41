import type { DescMethod } from '@bufbuild/protobuf'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { createLog } from '../../src/observe/log.ts'
import {
  seedAccount,
  seedKey,
  seedPermissions,
  seedSecret,
  seedTenant,
  type TenantFixture,
} from '../support/fixture.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { type ForeignTokens, takeForeignTokens } from './foreign-tokens.ts'
import type { TwoTenants } from './foreign-values.ts'
import { namesOf, takeInventory } from './inventory.ts'
import type { Json } from './request-maker.ts'
import type { Secret } from './seen-secrets.ts'
import { openStoredRows, type StoredRows } from './stored-rows.ts'
import { openWires, type Wire, type WireAnswer, type Wires } from './wires.ts'

/** Who asks, and where its credential is good. */
export interface ForeignCaller {
  readonly name: string
  readonly key: string
  readonly place: string
  readonly power: 'platform' | 'tenant' | 'workspace'
}

/** Two tenants on one server, and every word that anybody was answered while one of them was after the other. */
export interface ForeignWorld extends AsyncDisposable {
  readonly server: TestServer
  readonly acme: TenantFixture
  readonly globex: TenantFixture
  readonly tenants: TwoTenants
  readonly tokens: ForeignTokens
  readonly platformNames: ReturnType<typeof namesOf>
  readonly rows: StoredRows
  readonly callers: readonly ForeignCaller[]
  /** Answers to credentials of acme, each once. */
  readonly heard: ReadonlyMap<string, Buffer>
  /** Lines of the server's log, at its most talkative, since the first question. */
  readonly lines: readonly string[]
  /** How many questions there were. */
  readonly asked: () => number
  ask(
    wire: Wire,
    method: DescMethod,
    body: Json,
    caller: Pick<ForeignCaller, 'key' | 'power'>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<WireAnswer>
  /** What of globex is written in any row, and no name: ids, people, texts, values. */
  secretsOfGlobex(): Promise<readonly Secret[]>
  /** As every row of it was before the first question. */
  isGlobexUntouched(): Promise<boolean>
}

export const memberOfOneWorkspace = 'key of a member of one workspace'
const confidential = 'Globex Confidential Holding'
const requestId = 'of-globex'

export async function openForeignWorld(): Promise<ForeignWorld> {
  await using stack = new AsyncDisposableStack()
  const lines: string[] = []
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } })
  const server = stack.use(await startTestServer({ log }))
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  const globex = await seedTenant(server, 'globex')
  for (const tenant of [acme, globex]) await seedMore(server, tenant)
  const memberKey = await seedMember(server, acme)
  const { revision } = await server
    .client(TenantService)
    .updateTenant({ tenant: { name: globex.name, displayName: confidential } })
  const etags: string[] = []
  const inventory = await takeInventory(server.httpUrl, server.rootKey)
  await takeInventory(server.httpUrl, globex.ownerKey, globex.name, (answer) => void etags.push(...etagsIn(answer)))
  const tenants = { own: namesOf(inventory, acme.name), foreign: namesOf(inventory, globex.name) }
  const { workspace } = await server.client(WorkspaceService).getWorkspace({ name: `${globex.name}/workspaces/prod` })
  const tokens = await takeForeignTokens({
    ...{ server, foreign: globex, names: tenants.foreign, revision, requestId, etags },
    ...{ slug: 'globex-only', workspaceUid: workspace?.uid ?? '' },
  })
  const rows = stack.use(await openStoredRows(server.databaseUrl))
  const before = await rows.hash(globex.uid)
  const wires: Wires = stack.use(openWires(server.server))
  const heard = new Map<string, Buffer>()
  const owned = stack.move()
  let asked = 0
  const sent = [...[...tenants.foreign.values()].flat(), ...tokens.sent]
  lines.length = 0
  const prod = `${acme.name}/workspaces/prod`
  return {
    ...{ server, acme, globex, tenants, tokens, rows, heard, lines },
    platformNames: namesOf(inventory, ''),
    callers: [
      { name: 'owner key', key: acme.ownerKey, place: acme.name, power: 'tenant' },
      { name: 'workspace key', key: acme.prodKey, place: prod, power: 'workspace' },
      { name: memberOfOneWorkspace, key: memberKey, place: prod, power: 'workspace' },
      { name: 'root key', key: server.rootKey, place: acme.name, power: 'platform' },
    ],
    asked: () => asked,
    async ask(wire, method, body, { key, power }, headers = {}) {
      const answer = await wires.call(wire, method, body, { ...headers, authorization: `Bearer ${key}` })
      asked += 1
      // The platform may read what it names.
      if (power !== 'platform') heard.set(answer.seen, answer.bytes)
      return answer
    },
    secretsOfGlobex: () => secretsOf(server.databaseUrl, globex.uid, sent),
    isGlobexUntouched: async () => (await rows.hash(globex.uid)) === before,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Things that the other tenant has no twin of, so that a child under the wrong parent is a child that is not there. */
async function seedMore(server: TestServer, { name, slug }: TenantFixture): Promise<void> {
  const only = `${slug}-only`
  const at = `${name}/workspaces/${only}`
  const id = `of-${slug}`
  await server.client(WorkspaceService).createWorkspace({ parent: name, workspaceId: only, requestId: id })
  const role = { displayName: `Secret role of ${slug}`, permissions: ['orders.read'] }
  await server.client(RoleService).createRole({ parent: name, roleId: only, role, requestId: id })
  const user = {
    ...{ issuer: 'https://idp.example', subject: only, email: `${only}@${slug}.example` },
    displayName: `Secret person of ${slug}`,
  }
  await server.client(UserService).createUser({ parent: name, userId: only, user, requestId: id })
  const membership = {
    member: { case: 'user' as const, value: `${name}/users/${only}` },
    roles: [`${name}/roles/${only}`],
  }
  for (const parent of [name, at]) {
    await server.client(MembershipService).createMembership({ parent, membershipId: only, membership })
  }
  await seedKey(server, at, `${name}/serviceAccounts/owner-bot`)
  await seedSecret(server, at, only)
  await seedSecret(server, `${name}/workspaces/prod`, 'second')
  const payload = Buffer.from(`second value of ${slug}`)
  const parent = `${name}/workspaces/prod/secrets/database`
  await server.client(SecretService).addSecretVersion({ parent, payload, requestId: id })
  for (const gone of ['gone-one', 'gone-two']) await seedOperation(server, name, gone)
}

/** The purge of a workspace, which has ended when this is done: nothing changes by itself afterwards. */
async function seedOperation(server: TestServer, tenant: string, workspaceId: string): Promise<void> {
  const workspaces = server.client(WorkspaceService)
  const name = `${tenant}/workspaces/${workspaceId}`
  await workspaces.createWorkspace({ parent: tenant, workspaceId })
  await workspaces.deleteWorkspace({ name })
  const { operation } = await workspaces.purgeWorkspace({ name })
  const ended = await server.client(Operations).waitOperation({ name: operation?.name ?? '' })
  if (!ended.done) throw new Error(`${name} is not purged`)
}

/** Somebody who may do anything in one workspace, and whose key is none of that workspace's. */
async function seedMember(server: TestServer, { name }: TenantFixture): Promise<string> {
  const key = await seedAccount(server, name, 'prod-bot', 'roles/viewer', Membership_WorkspaceReach.NONE)
  const member = { case: 'serviceAccount' as const, value: `${name}/serviceAccounts/prod-bot` }
  const parent = `${name}/workspaces/prod`
  const membership = { member, roles: ['roles/admin'] }
  await server.client(MembershipService).createMembership({ parent, membershipId: 'prod-bot-prod', membership })
  await server.client(MembershipService).deleteMembership({ name: `${name}/memberships/prod-bot` })
  return key
}

function etagsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, held]) =>
    key === 'etag' && typeof held === 'string' ? [held] : etagsIn(held),
  )
}

/** Everything of 16 bytes and more that stands in rows of the tenant and in none of the others, and that nobody who asks has sent. */
async function secretsOf(databaseUrl: string, tenantId: string, sent: readonly string[]): Promise<readonly Secret[]> {
  await using door = await openSideDoor(databaseUrl)
  const said = sent.join('\n')
  const own = new Map<string, string>()
  const others = new Set<string>()
  for (const [table, columns] of await door.tables()) {
    if (!columns.includes('tenant_id')) continue
    for (const row of await door.all(`SELECT * FROM ${table}`)) {
      for (const [column, value] of Object.entries(row)) {
        if (/_time$/.test(column) || !(typeof value === 'string' || value instanceof Uint8Array)) continue
        const text = Buffer.from(value).toString('latin1')
        if (row.tenant_id === tenantId) own.set(text, `${table}.${column}`)
        else others.add(text)
      }
    }
  }
  const traces = [...own].filter(([text]) => text.length >= 16 && !others.has(text) && !said.includes(text))
  const values = ['second value of globex', 'of tenants/globex/workspaces/prod'].map((text) => [text, 'value'] as const)
  return [...traces, ...values].map(([text, what]) => ({ what, bytes: Buffer.from(text, 'latin1') }))
}
