import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What somebody reads who calls with curl and mistypes.

let tenure: TestServer

beforeAll(async () => {
  tenure = await startTestServer()
})
afterAll(() => tenure?.[Symbol.asyncDispose]())

async function refusalOf(method: string, body: object, key = tenure.rootKey): Promise<string> {
  const response = await fetch(`${tenure.httpUrl}/tenure.v1.${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  })
  return ((await response.json()) as { message?: string }).message ?? ''
}

test('of a field that a message does not have it is told which message; neither its name nor a value is repeated', async () => {
  const secret = 'hunter2'
  for (const body of [{ nmae: secret }, { hunter2: 1 }, { ['x'.repeat(65)]: 1 }]) {
    expect(await refusalOf('TenantService/GetTenant', body)).toBe(
      'The request is not the message of this method: it names a field that tenure.v1.GetTenantRequest does not have. Check its fields against the API reference.',
    )
  }
  const deeper = await refusalOf('TenantService/CreateTenant', { tenant: { displayname: secret } })
  expect(deeper).toContain('it names a field that tenure.v1.Tenant does not have.')
})

test('a value of the wrong kind is not repeated', async () => {
  const plain = 'The request is not the message of this method. Check its fields against the API reference.'
  for (const body of [{ 'a" is unknown <b>': 1 }, { name: { hunter2: 1 } }, { name: 5 }, [1]]) {
    expect(await refusalOf('TenantService/GetTenant', body)).toBe(plain)
  }
})

test('who has no credential is not told what a message has', async () => {
  expect(await refusalOf('TenantService/GetTenant', { nmae: 1 }, 'wrong')).not.toContain('nmae')
})

test('who asks for the chain of a workspace by its name is told how to ask for it, whether or not there is one', async () => {
  const said = await refusalOf('AuditService/VerifyAuditChain', { parent: 'tenants/acme/workspaces/prod' })
  expect(said).toMatch(
    /^parent: must be the tenant; the chain of its workspace is asked for by chain, as workspace\/\{uid\}/,
  )
  const other = await refusalOf('AuditService/VerifyAuditChain', { parent: 'tenants/' })
  expect(other).toBe('parent: must look like [tenants/{id}]')
})
