import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { type CreatePermissionRequestSchema, RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { createVerifier, type Verifier } from '../../src/sdk/verifier.ts'
import { endChild, startChild } from './child-server.ts'
import { type Chance, createChance } from './crash-chance.ts'
import { openInstallation } from './crash-installation.ts'
import { callOf, openWalkServer, type WalkAnswer, type WalkCall, type WalkServer } from './walk-client.ts'
import { walkPermissions } from './walk-decisions.ts'
import { WalkHistory } from './walk-history.ts'
import { WalkLeaks } from './walk-leaks.ts'
import { type WalkTenant, withThing } from './walk-model.ts'
import { createTenant, createWorkspace } from './walk-places.ts'
import { maxStalenessMs, type WalkCaller } from './walk-question.ts'
import { productPermissions } from './walk-rules.ts'
import { keeper, keyOf, makers, type WalkWrite, workspaceSlugs } from './walk-writes.ts'

/** Five tenants with twins of each other in them, three servers, and what is known of all of it. */
export interface WalkWorld extends AsyncDisposable {
  readonly servers: readonly WalkServer[]
  readonly histories: readonly WalkHistory[]
  readonly leaks: WalkLeaks
  readonly root: WalkCaller
  readonly verifier: Verifier
  /** Asked about. */
  readonly permissions: readonly string[]
  readonly neverUid: string
  /** As the last answered change left it. */
  tenant(number: number): WalkTenant
  /** Numbers of new things: the same in every tenant, so that each has a twin in the others. */
  next(tenant: number): () => number
  /** Sends a change and takes it in. Answers what is wrong with it; empty: nothing. */
  write(write: WalkWrite, server: WalkServer): Promise<string>
}

export const walkTenants = 5
const replicas = ['replica-1', 'replica-2', 'replica-3']
/** A minute, all together. */
const staleAttempts = 240
const stalePauseMs = 250
const issuer = 'https://walk.tenure.test'

export async function openWalkWorld(seed: number): Promise<WalkWorld> {
  await using stack = new AsyncDisposableStack()
  const { mysql, rootKey, envOf } = stack.use(await openInstallation())
  const children = await Promise.all(
    replicas.map(async (replica) => {
      const settings = { TENURE_ISSUER: issuer, TENURE_MAX_STALENESS_MS: String(maxStalenessMs) }
      const child = await startChild({ ...envOf(replica, mysql), ...settings })
      stack.defer(async () => void (await endChild(child, 'SIGTERM')))
      return child
    }),
  )
  const servers = children.map((child, at) => stack.use(openWalkServer(replicas[at] ?? '', child)))
  const [first] = children
  const [server] = servers
  if (first === undefined || server === undefined) throw new Error('servers were to be started')
  const jwks = (await (await fetch(`${first.httpUrl}/.well-known/jwks.json`)).json()) as never
  const world = new World(servers, rootKey, createVerifier({ issuer, audience: 'tenure', jwks }))
  await world.seed(server, createChance(seed, 1))
  const owned = stack.move()
  return Object.assign(world, { [Symbol.asyncDispose]: () => owned.disposeAsync() })
}

class World {
  readonly servers: readonly WalkServer[]
  readonly histories: WalkHistory[] = []
  readonly leaks = new WalkLeaks()
  readonly root: WalkCaller
  readonly verifier: Verifier
  readonly permissions = walkPermissions
  readonly neverUid = '01900000-0000-7000-8000-00000000dead'
  readonly #numbers = new Map<number, number>()

  constructor(servers: readonly WalkServer[], rootKey: string, verifier: Verifier) {
    this.servers = servers
    this.root = { tenant: undefined, keyName: '', secret: rootKey }
    this.verifier = verifier
  }

  tenant(number: number): WalkTenant {
    const history = this.histories[number]
    if (history === undefined) throw new Error(`there is no tenant ${number}`)
    return history.now
  }

  next(tenant: number): () => number {
    return () => {
      const number = (this.#numbers.get(tenant) ?? 0) + 1
      this.#numbers.set(tenant, number)
      return number
    }
  }

  async write({ tenant, call, apply }: WalkWrite, server: WalkServer): Promise<string> {
    const { reason, message, raw, startMs, endMs } = await this.#fresh(call, server)
    if (message === undefined) return `a change that must be taken was refused: ${reason}`
    const leak = this.leaks.learn(raw, tenant)
    if (leak !== '') return leak
    const { revision } = message as unknown as { revision: string }
    this.histories[tenant]?.add(apply(this.tenant(tenant), message), revision, startMs, endMs)
    return this.leaks.findInRevision(revision, this.tenant(tenant).uid)
  }

  /** A server that knows it is behind has done nothing, and is asked again. */
  async #fresh(call: WalkCall, server: WalkServer): Promise<WalkAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await server.call('grpc', call, this.root.secret)
      if (answer.reason !== 'STALE' || attempt === staleAttempts) return answer
      await sleep(stalePauseMs)
    }
  }

  /** The same for every tenant at first, by its own chance from there. */
  async seed(server: WalkServer, chance: Chance): Promise<void> {
    for (const permissionId of productPermissions) {
      const permission: MessageInitShape<typeof CreatePermissionRequestSchema>['permission'] = permissionId.endsWith(
        '.read',
      )
        ? { effect: 1 }
        : {}
      await this.#done(server, callOf(RoleService.method.createPermission, { permissionId, permission }))
    }
    for (let number = 0; number < walkTenants; number += 1) {
      const { call, first } = createTenant(number)
      const answer = await this.#done(server, call)
      const { revision } = answer.message as unknown as { revision: string }
      const tenant = first(answer.message as never)
      this.leaks.learn(answer.raw, number)
      this.histories.push(new WalkHistory(tenant, revision))
      for (const slug of workspaceSlugs) await this.#mustWrite(createWorkspace(this.tenant(number), slug), server)
      await this.#seedKeeper(number, server)
      for (let round = 0; round < 5; round += 1) {
        for (const [, make] of makers) {
          const write = make(this.tenant(number), chance, this.next(number))
          if (write !== undefined) await this.#mustWrite({ tenant: number, ...write }, server)
        }
      }
    }
    await this.#untilAllKnow()
  }

  async #seedKeeper(tenant: number, server: WalkServer): Promise<void> {
    const { name } = this.tenant(tenant)
    const displayName = `Keeper ~t${tenant}~`
    const slug = keeper.split('/')[1] ?? ''
    await this.#mustWrite(
      {
        tenant,
        call: callOf(ServiceAccountService.method.createServiceAccount, {
          ...{ parent: name, serviceAccountId: slug, serviceAccount: { displayName } },
        }),
        apply: (before) => withThing(before, 'people', keeper, { id: keeper, displayName, isActive: true }),
      },
      server,
    )
    const membership = `${name}/memberships/keeper`
    const held = { name: membership, workspace: '', person: keeper, roles: ['roles/owner'], reachesAll: true }
    await this.#mustWrite(
      {
        tenant,
        call: callOf(MembershipService.method.createMembership, {
          ...{ parent: name, membershipId: 'keeper' },
          membership: {
            member: { case: 'serviceAccount', value: `${name}/${keeper}` },
            ...{ roles: ['roles/owner'], workspaceReach: Membership_WorkspaceReach.ALL },
          },
        }),
        apply: (before) => withThing(before, 'memberships', membership, held),
      },
      server,
    )
    for (const workspace of ['', 'prod', 'test']) {
      await this.#mustWrite({ tenant, ...keyOf(this.tenant(tenant), keeper, workspace, []) }, server)
    }
  }

  async #mustWrite(write: WalkWrite, server: WalkServer): Promise<void> {
    const fault = await this.write(write, server)
    if (fault !== '') throw new Error(`the walk cannot begin: ${fault} ${JSON.stringify(write.call.request)}`)
  }

  async #done(server: WalkServer, call: WalkCall) {
    const answer = await server.call('grpc', call, this.root.secret)
    if (answer.message === undefined) throw new Error(`the walk cannot begin: ${answer.reason}`)
    return answer
  }

  /** What was seeded is older than any server may be behind. */
  async #untilAllKnow(): Promise<void> {
    for (const { now } of this.histories) {
      const secret =
        [...now.keys.values()].findLast(({ isRevoked, person }) => !isRevoked && person === keeper)?.secret ?? ''
      for (const server of this.servers) {
        while ((await server.call('grpc', callOf(AccessService.method.getCaller, {}), secret)).message === undefined);
      }
    }
  }
}
