import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { AccessError } from '../../src/sdk/access-error.ts'
import type { JwkSet } from '../../src/sdk/key-source.ts'
import { contextOf } from '../../src/sdk/verified-token.ts'
import { createVerifier, type Verifier } from '../../src/sdk/verifier.ts'
import { seedKey, seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bearer, everyMethod, methodName } from './caller.ts'
import { policyOf } from './foreign-table.ts'
import { namesOf, takeInventory } from './inventory.ts'
import { makeRequest, type NamesByShape } from './request-maker.ts'
import { openStoredRows } from './stored-rows.ts'
import { everyWire, openWires, type Wires } from './wires.ts'

let server: TestServer
let acme: TenantFixture
let globex: TenantFixture
let wires: Wires
let names: NamesByShape
let verifier: Verifier
let tokens: Readonly<Record<'tenant' | 'workspace' | 'person', string>>

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
  wires = openWires(server.server)
  names = namesOf(await takeInventory(server.httpUrl, server.rootKey), acme.name)
  const jwks = (await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).json()) as JwkSet
  verifier = createVerifier({ issuer: server.httpUrl, audience: 'tenure', jwks })
  const prod = `${acme.name}/workspaces/prod`
  tokens = {
    tenant: await issued(acme.ownerKey, acme.name),
    workspace: await issued(acme.prodKey, prod),
    person: await issued(acme.ownerKey, prod, acme.alice),
  }
})

afterAll(async () => {
  wires[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

async function issued(key: string, parent: string, user = ''): Promise<string> {
  const principal = user === '' ? {} : { principal: { kind: { case: 'user' as const, value: user } } }
  return (await server.client(TokenService, key).issueToken({ parent, ...principal })).token
}

describe.each(everyMethod.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('a token of the tenant is no credential: it is refused like any text, before anything is looked at', async () => {
    const request = makeRequest(method, { names, place: acme.name })
    for (const wire of everyWire) {
      const nobody = await wires.call(wire, method, request, bearer('nobody'))
      expect([nobody.code, nobody.reason], wire).toEqual(['unauthenticated', 'CREDENTIAL_INVALID'])
      for (const [whose, token] of Object.entries(tokens)) {
        expect((await wires.call(wire, method, request, bearer(token))).seen, `${wire} ${whose}`).toBe(nobody.seen)
      }
    }
  })
})

test('a token in the place of a key, a revision or a workspace opens nothing either', async () => {
  const { authorize } = AccessService.method
  const ask = async (body: Parameters<Wires['call']>[2], headers = {}) => {
    const {
      code,
      reason,
      body: answer,
    } = await wires.call('Connect JSON', authorize, body, {
      ...bearer(acme.ownerKey),
      ...headers,
    })
    return [code, reason, (answer as { reason?: string } | undefined)?.reason]
  }
  const principal = { user: acme.alice }
  for (const token of Object.values(tokens)) {
    const parent = acme.name
    const key = token.slice(0, 512)
    expect(await ask({ parent, apiKey: key })).toEqual(['ok', '', 'DECISION_REASON_UNAUTHENTICATED'])
    expect(await ask({ parent, principal, atLeastRevision: token.slice(0, 256) })).toEqual([
      ...['invalid_argument', 'INVALID_REVISION', undefined],
    ])
    expect(await ask({ parent, principal }, { 'x-workspace-id': token })).toEqual([
      ...['invalid_argument', 'WORKSPACE_MISMATCH', undefined],
    ])
  }
})

test('a key of one workspace has tokens of that workspace alone, and none of its siblings, its tenant or another', async () => {
  const prod = await verifier.verify(tokens.workspace)
  expect(prod.claims.tid).toBe(acme.uid)
  expect(prod.claims.permissions).toEqual([])
  expect(prod.claims.workspaces.map(({ slug }) => slug)).toEqual(['prod'])
  const places = [acme.name, `${acme.name}/workspaces/test`, globex.name, `${globex.name}/workspaces/prod`]
  for (const parent of places) {
    expect([parent, await reasonOf(server.client(TokenService, acme.prodKey).issueToken({ parent }))]).toEqual([
      ...[parent, 'NOT_FOUND'],
    ])
  }
  const beside = { parent: `${acme.name}/workspaces/prod`, workspaces: [`${acme.name}/workspaces/test`] }
  expect(await reasonOf(server.client(TokenService, acme.prodKey).issueToken(beside))).not.toBe('OK')
})

test('a token is worth nothing in a sibling, nor in a workspace of the same name of another tenant', async () => {
  const uidOf = async (name: string) =>
    (await server.client(WorkspaceService).getWorkspace({ name })).workspace?.uid ?? ''
  const own = await uidOf(`${acme.name}/workspaces/prod`)
  const foreign = [await uidOf(`${acme.name}/workspaces/test`), await uidOf(`${globex.name}/workspaces/prod`), 'test']
  for (const token of [tokens.workspace, tokens.person]) {
    const verified = await verifier.verify(token)
    expect(contextOf(verified, own)).toEqual(contextOf(verified, 'prod'))
    for (const workspace of [...foreign, globex.uid, '', `${globex.name}/workspaces/prod`]) {
      expect(
        refusal(() => contextOf(verified, workspace)),
        workspace,
      ).toBe('WORKSPACE_NOT_IN_TOKEN')
    }
  }
  const all = await verifier.verify(tokens.tenant)
  expect(refusal(() => contextOf(all, foreign[1] ?? ''))).toBe('WORKSPACE_NOT_IN_TOKEN')
})

function refusal(act: () => unknown): string {
  try {
    return `it is ${JSON.stringify(act())}`
  } catch (error) {
    return (error as AccessError).reason
  }
}

test('a key made by the platform for one workspace reaches no sibling, whatever its owner may do there', async () => {
  const key = await seedKey(server, `${acme.name}/workspaces/test`, `${acme.name}/serviceAccounts/owner-bot`)
  await using rows = await openStoredRows(server.databaseUrl)
  const before = await rows.state()
  for (const method of everyMethod) {
    const request = makeRequest(method, { names, place: `${acme.name}/workspaces/prod` })
    const { code } = await wires.call('native gRPC', method, request, bearer(key))
    const { scopes, tenantFrom } = policyOf(method)
    // Where every caller may ask, there is an answer without a place.
    if (!scopes.has('CALLER') && tenantFrom.kind === 'field')
      expect(['not_found', 'permission_denied'], methodName(method)).toContain(code)
  }
  expect(await rows.state()).toEqual(before)
})
