import type { DescMethod } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bearer, callJson, everyMethod, methodName } from './caller.ts'
import { policyOf } from './foreign-table.ts'
import { namesOf, takeInventory } from './inventory.ts'
import { fieldsOfRequest } from './request-fields.ts'
import { type Json, makeRequest, type NamesByShape, withField } from './request-maker.ts'

// Ways to a method that are none of the four wires: they lead to the same rule, or nowhere.

let server: TestServer
let acme: TenantFixture
let globex: TenantFixture
let own: NamesByShape
let foreign: NamesByShape

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
  const inventory = await takeInventory(server.httpUrl, server.rootKey)
  own = namesOf(inventory, acme.name)
  foreign = namesOf(inventory, globex.name)
})

afterAll(() => server[Symbol.asyncDispose]())

/** Right in all but the place, where there is one: that is the other tenant's. */
function foreignRequest(method: DescMethod): Json {
  const { tenantFrom } = policyOf(method)
  const request = makeRequest(method, { names: own, place: acme.name })
  const field = fieldsOfRequest(method.input).find(
    ({ path }) => tenantFrom.kind === 'field' && path === tenantFrom.path,
  )
  const shape = field?.nameShapes.find((each) => each.startsWith('tenants/'))
  const name = shape === undefined ? undefined : foreign.get(shape)?.[0]
  return field === undefined || name === undefined ? request : withField(request, field, name)
}

/** What Connect lets a browser cache: the message stands in the URL. */
async function get(method: DescMethod, request: Json, headers: Readonly<Record<string, string>>) {
  const query = new URLSearchParams({ connect: 'v1', encoding: 'json', message: JSON.stringify(request) })
  const url = `${server.httpUrl}/${method.parent.typeName}/${method.name}?${query}`
  const response = await fetch(url, { headers })
  return { status: response.status, text: await response.text() }
}

const codeIn = (text: string) => (text === '' ? '' : ((JSON.parse(text) as { code?: string }).code ?? 'ok'))

describe.each(everyMethod.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('asked by GET is refused as it is by POST, or is not to be had by GET', async () => {
    const request = foreignRequest(method)
    for (const headers of [{}, bearer('nobody'), bearer(acme.ownerKey), bearer(acme.prodKey)]) {
      const posted = await callJson(server.httpUrl, method, JSON.stringify(request), headers)
      const { status, text } = await get(method, request, headers)
      if (method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) {
        expect([status, text]).toEqual([405, ''])
      } else {
        expect([status, codeIn(text)]).toEqual([posted.status, posted.code])
        if (posted.code !== 'ok') expect(text).toBe(posted.body)
      }
    }
  })

  test('under any other spelling of its path is nowhere', async () => {
    const body = JSON.stringify(foreignRequest(method))
    const headers = { 'content-type': 'application/json', ...bearer(acme.ownerKey) }
    const { typeName } = method.parent
    const paths = [
      `/${typeName}/${method.name}/`,
      `//${typeName}/${method.name}`,
      `/${typeName.toLowerCase()}/${method.name.toLowerCase()}`,
      `/${typeName}%2F${method.name}`,
      `/${typeName}/./x/../${method.name}%00`,
      `/api/${typeName}/${method.name}`,
      `/${typeName.replace('tenure.v1', 'tenure.internal.v1')}/${method.name}Internal`,
    ]
    for (const path of paths) {
      const response = await fetch(`${server.httpUrl}${path}`, { method: 'POST', headers, body })
      const text = await response.text()
      expect([404, 405, 415], `${path}: ${response.status}`).toContain(response.status)
      expect(text).not.toMatch(/acme|globex/)
    }
  })
})

test('pages beside the methods name no tenant', async () => {
  const pages = ['/healthz', '/readyz', '/metrics', '/.well-known/jwks.json', '/.well-known/openid-configuration']
  for (const page of [...pages, '/.well-known/oauth-authorization-server']) {
    const response = await fetch(`${server.httpUrl}${page}`)
    expect([page, response.status]).toEqual([page, 200])
    expect(await response.text()).not.toMatch(/acme|globex/)
  }
  for (const page of [
    '/',
    '/admin',
    '/debug/pprof',
    '/internal',
    '/tenants/globex',
    '/v1/tenants/globex',
    '/console/',
  ]) {
    const response = await fetch(`${server.httpUrl}${page}`, { headers: bearer(server.rootKey) })
    expect([page, response.status, (await response.text()).includes('globex')]).toEqual([page, 404, false])
  }
})
