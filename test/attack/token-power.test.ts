import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AccessService,
  type AuthorizeRequest,
  Decision,
  DecisionReason,
} from '../../src/gen/tenure/v1/access_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import type { TenantTokenClaims } from '../../src/jwt/tenant-token-claims.ts'
import { openVerificationKeys } from '../../src/jwt/verification-keys.ts'
import { verifyTenantToken } from '../../src/jwt/verify-tenant-token.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import {
  buildWorld,
  memberOf,
  ownPermissions,
  productPermissions,
  type TokenQuestion,
  type World,
  type WorldPlan,
  workspaces,
  worldPlan,
} from './token-worlds.ts'

/** Always the same worlds, unless another seed is given. */
const seed = Number(process.env.TENURE_TEST_SEED ?? 20_261_122)
const worlds = 12
/** After this much of a jump, what was made to end has ended. */
const jumpMs = 120_000

let server: TestServer
let jumpedMs = 0

const clock = { nowMs: () => Date.now() + jumpedMs, monotonicMs: () => performance.now() }

beforeAll(async () => {
  server = await startTestServer({ clock })
  for (const permissionId of productPermissions) {
    const effect = permissionId.endsWith('.read') ? { permission: { effect: 1 as const } } : {}
    await server.client(RoleService).createPermission({ permissionId, ...effect })
  }
})

afterAll(() => server[Symbol.asyncDispose]())

type Credential = Extract<AuthorizeRequest['credential'], { readonly case: string }>

/** What Authorize says of each permission at each place: `0` stands for the tenant, and the empty permission for the place itself. */
async function verdictsOf(
  world: World,
  credential: Pick<Credential, 'case' | 'value'>,
): Promise<(place: number, permission: string) => DecisionReason> {
  const questions = [0, ...workspaces.map((_, at) => at + 1)].flatMap((place) =>
    ['', ...productPermissions, ...ownPermissions].map((permission) => ({ place, permission })),
  )
  const { items } = await server.client(AccessService).batchAuthorize({
    items: questions.map(({ place, permission }) => ({
      request: { parent: world.placeName(place), permission, credential: credential as Credential },
    })),
  })
  const verdicts = new Map<string, DecisionReason>()
  for (const [at, { result }] of items.entries()) {
    const { place, permission } = questions[at] ?? { place: -1, permission: '' }
    if (result.case !== 'response') throw new Error('a question of the batch was not answered')
    const { decision, reason } = result.value
    expect(decision === Decision.ALLOW).toBe(reason === DecisionReason.GRANTED)
    verdicts.set(`${place} ${permission}`, reason)
  }
  return (place, permission) => verdicts.get(`${place} ${permission}`) ?? DecisionReason.UNSPECIFIED
}

/** A question whose place is settled. */
type Placed = TokenQuestion & { readonly parent: number }

const principal = (name: string) => ({ kind: memberOf(name) })

async function verified(token: string): Promise<TenantTokenClaims> {
  const keys = await openVerificationKeys(await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).json())
  return verifyTenantToken(token, {
    ...{ issuer: server.httpUrl, audience: 'tenure', nowMs: clock.nowMs(), clockToleranceSeconds: 0 },
    keyOf: (kid) => keys?.get(kid),
  })
}

async function ask(world: World, { key, about, parent, workspaces: asked, permissions }: Placed) {
  const credential = key === undefined ? server.rootKey : (world.keys[key] ?? '')
  return server.client(TokenService, credential).issueToken({
    parent: world.placeName(parent),
    workspaces: asked.map((place) => world.placeName(place)),
    permissions: [...permissions],
    ...(about === undefined ? {} : { principal: principal(world.principalName(about)) }),
  })
}

/** By place: 0 for the tenant. */
function claimedAt(claims: TenantTokenClaims): Map<number, readonly string[]> {
  const places = new Map<number, readonly string[]>()
  if (claims.permissions.length > 0) places.set(0, claims.permissions)
  for (const { slug, permissions } of claims.workspaces) places.set(workspaces.indexOf(slug) + 1, permissions)
  return places
}

/** What a token of this question may say, worked out from nothing but answers of Authorize. */
function expectedAt(question: Placed, verdict: (place: number, permission: string) => DecisionReason) {
  const { parent, workspaces: asked, permissions } = question
  const { GRANTED } = DecisionReason
  const stated = permissions.length === 0 ? productPermissions : permissions
  const all = workspaces.map((_, at) => at + 1)
  const named = parent !== 0 ? [parent] : asked.length > 0 ? asked : all
  const expected = new Map<number, string[]>()
  const held = (place: number) => stated.filter((permission) => verdict(place, permission) === GRANTED).sort()
  if (parent === 0 && asked.length === 0 && held(0).length > 0) expected.set(0, held(0))
  for (const place of named) if (verdict(place, '') === GRANTED) expected.set(place, held(place))
  return expected
}

function placesGranted(verdict: (place: number, permission: string) => DecisionReason): number[] {
  return [0, ...workspaces.map((_, at) => at + 1)].filter((place) => verdict(place, '') === DecisionReason.GRANTED)
}

const seen = { issued: 0, claims: 0, refused: 0, impersonated: 0, narrowed: 0 }

async function checkQuestion(world: World, plan: WorldPlan, drawn: TokenQuestion): Promise<void> {
  const own = drawn.key === undefined ? 0 : plan.keys[drawn.key]?.place
  const question = { ...drawn, parent: drawn.parent ?? own ?? 0 }
  const owner = question.key === undefined ? undefined : plan.keys[question.key]?.owner
  const isOneself = owner !== undefined && (question.about === undefined || question.about === owner)
  const ownKey = question.key === undefined ? '' : (world.keys[question.key] ?? '')
  const about = question.about ?? owner ?? 0
  const subject = isOneself
    ? { case: 'apiKey' as const, value: ownKey }
    : { case: 'principal' as const, value: principal(world.principalName(about)) }
  const verdict = await verdictsOf(world, subject as Credential)
  const call = ask(world, question)
  const reason = await reasonOf(call)
  if (reason !== 'OK') {
    seen.refused += 1
    expect(reason).toMatch(
      /^(?:NOT_FOUND|PERMISSION_MISSING|GRANT_EXCEEDS_CALLER|WORKSPACE_ARCHIVED|CREDENTIAL_INVALID|INVALID_FIELD)$/,
    )
    // The root key may ask about everybody who has a place.
    const isSimple = question.key === undefined && question.parent === 0 && question.workspaces.length === 0
    if (isSimple && question.about !== undefined) expect(placesGranted(verdict)).toEqual([])
    return
  }
  const { token } = await call
  const claims = await verified(token)
  expect(claims.sub).toBe(world.principalName(about))
  const claimed = claimedAt(claims)
  const caller =
    isOneself || question.key === undefined ? undefined : await verdictsOf(world, { case: 'apiKey', value: ownKey })
  for (const [place, permissions] of claimed) {
    expect(place).toBeGreaterThanOrEqual(0)
    if (place !== 0) expect(verdict(place, '')).toBe(DecisionReason.GRANTED)
    for (const permission of permissions) {
      seen.claims += 1
      expect([place, permission, verdict(place, permission)]).toEqual([place, permission, DecisionReason.GRANTED])
      if (caller !== undefined) {
        expect(['caller', place, permission, caller(place, permission)]).toEqual([
          ...['caller', place, permission],
          DecisionReason.GRANTED,
        ])
      }
    }
  }
  // No more, by the above; and no less, or an empty token would pass.
  expect(claimed).toEqual(expectedAt(question, verdict))
  seen.issued += 1
  if (!isOneself && question.key !== undefined) seen.impersonated += 1
  if (isOneself && (plan.keys[question.key ?? 0]?.narrowing.length ?? 0) > 0) seen.narrowed += 1
}

test('of random tenants, every permission a token claims is allowed by Authorize at that place now, and nothing else is claimed', async () => {
  let made = 0
  await fc.assert(
    fc.asyncProperty(worldPlan, async (plan) => {
      made += 1
      const expireMs = clock.nowMs() + jumpMs / 2
      const world = await buildWorld(server, `world-${made}`, plan, expireMs)
      // Before anything ends, and after.
      const half = plan.questions.length / 2
      for (const question of plan.questions.slice(0, half)) await checkQuestion(world, plan, question)
      jumpedMs += jumpMs
      for (const question of plan.questions.slice(half)) await checkQuestion(world, plan, question)
    }),
    { numRuns: worlds, seed, endOnFailure: true },
  )
  // A service that refuses everything would pass this test too.
  expect(seen.issued).toBeGreaterThan(20)
  expect(seen.claims).toBeGreaterThan(100)
  expect(seen.impersonated).toBeGreaterThan(5)
  expect(seen.refused).toBeGreaterThan(5)
  expect(seen.narrowed).toBeGreaterThan(5)
}, 120_000)
