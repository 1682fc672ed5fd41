import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { installPyJwt } from '../rigs/python/install-pyjwt.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

const run = promisify(execFile)
const program = join(import.meta.dirname, '../rigs/python/verify-token.py')

let server: TestServer
let acme: TenantFixture
let packages: string

beforeAll(async () => {
  packages = await installPyJwt()
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

/** Finds the keys as a client would that knows the issuer alone. */
async function verifyInPython(token: string, audience: string): Promise<Record<string, unknown>> {
  const metadata = await fetch(`${server.httpUrl}/.well-known/oauth-authorization-server`)
  const { issuer, jwks_uri: keys } = (await metadata.json()) as { issuer: string; jwks_uri: string }
  const env = { PATH: process.env.PATH, PYTHONPATH: packages }
  const { stdout } = await run('python3', [program, token, keys, issuer, audience], { env })
  return JSON.parse(stdout)
}

test('a stock library of Python verifies a token from the published keys alone, and refuses what is not one', async () => {
  const principal = { kind: { case: 'user' as const, value: acme.alice } }
  const { token, tokenId } = await server
    .client(TokenService)
    .issueToken({ parent: acme.name, principal, audience: ['orders'] })
  expect(await verifyInPython(token, 'orders')).toMatchObject({
    ...{ iss: server.httpUrl, sub: acme.alice, jti: tokenId, tid: acme.uid, tenant: 'acme' },
    workspaces: [{ slug: 'prod', permissions: ['orders.read'] }],
  })
  expect(await verifyInPython(token, 'billing')).toEqual({ refused: 'InvalidAudienceError' })
  const [header, payload, signature = ''] = token.split('.')
  const other = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
  expect(await verifyInPython(`${header}.${payload}.${other}`, 'orders')).toEqual({ refused: 'InvalidSignatureError' })
})
