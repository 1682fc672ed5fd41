import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { childEnvironment, endChild, refusedStart, runTenure, startChild } from '../support/child-server.ts'
import { localKeyringOf } from '../support/test-keyring.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-start-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a port in use is one sentence and exit code 1', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const sentence = await refusedStart(childEnvironment(folder, { TENURE_GRPC_ADDRESS: `127.0.0.1:${port}` }))
  taken.close()
  expect(sentence).toBe(`tenure: 127.0.0.1:${port} is in use by another program. Stop it, or choose another address.`)
})

test('a keyring of another database is refused with a sentence', async () => {
  const env = childEnvironment(folder, localKeyringOf(folder))
  await runTenure(['bootstrap'], env)
  await endChild(await startChild(env), 'SIGTERM')
  rmSync(join(folder, 'keyring'), { recursive: true })
  expect(await refusedStart(env)).toMatch(/The keyring is not the one this database was made with/)
})

test('unknown settings stop the start and are named', async () => {
  const sentence = await refusedStart(childEnvironment(folder, { TENURE_GRPC_ADRESS: '127.0.0.1:1' }))
  expect(sentence).toMatch(/TENURE_GRPC_ADRESS is not a setting/)
})

test('bootstrap makes the root key once, and a second start finds the data again', async () => {
  const env = childEnvironment(folder)
  expect((await runTenure(['bootstrap'], env)).code).toBe(0)
  const key = readFileSync(join(folder, 'root-api-key'), 'utf8')
  expect((await runTenure(['bootstrap'], env)).stdout).toMatch(/made before/)
  expect(readFileSync(join(folder, 'root-api-key'), 'utf8')).toBe(key)
  for (let start = 0; start < 2; start += 1) {
    const child = await startChild(env)
    const called = await runTenure(['call', 'AccessService/GetCaller', '--address', child.httpUrl], env)
    expect(JSON.parse(called.stdout)).toMatchObject({ principal: 'serviceAccounts/root' })
    expect(await endChild(child, 'SIGINT')).toBe(0)
  }
})

test('call prints the reason of a refusal and exits 1, and names what there is for a method that is not', async () => {
  const env = childEnvironment(folder)
  await runTenure(['bootstrap'], env)
  const child = await startChild(env)
  const missing = await runTenure(
    ['call', 'TenantService/GetTenant', '{"name":"tenants/none"}', '-a', child.httpUrl],
    env,
  )
  expect(missing).toMatchObject({ code: 1, stdout: '' })
  expect(missing.stderr).toMatch(/^NotFound \(NOT_FOUND\): /)
  expect((await runTenure(['call', 'TenantService/Fly'], env)).stderr).toMatch(/There are CreateTenant/)
  await endChild(child, 'SIGTERM')
})

test('over TLS both listeners serve, and a client without the demanded certificate is turned away', async () => {
  const tls = join(folder, 'tls')
  mkdirSync(tls)
  const make = (name: string) =>
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
        ...['-keyout', join(tls, `${name}.key`), '-out', join(tls, `${name}.crt`)],
      ],
      { stdio: 'ignore' },
    )
  make('server')
  make('client')
  const env = childEnvironment(folder, {
    TENURE_TLS_CERT_FILE: join(tls, 'server.crt'),
    TENURE_TLS_KEY_FILE: join(tls, 'server.key'),
    TENURE_TLS_CLIENT_CA_FILE: join(tls, 'client.crt'),
  })
  env.TENURE_ISSUER = 'https://127.0.0.1'
  const bootstrapped = await runTenure(['bootstrap'], env)
  expect(bootstrapped.stderr).toBe('')
  const child = await startChild(env)
  const ca = readFileSync(join(tls, 'server.crt'))
  const key = readFileSync(join(folder, 'root-api-key'), 'utf8').trim()
  const caller = (certificate: object) =>
    createClient(
      AccessService,
      createConnectTransport({
        baseUrl: child.httpUrl,
        httpVersion: '2',
        nodeOptions: { ca, ...certificate },
        interceptors: [
          (next) => (request) => {
            request.header.set('authorization', `Bearer ${key}`)
            return next(request)
          },
        ],
      }),
    ).getCaller({})
  const own = { cert: readFileSync(join(tls, 'client.crt')), key: readFileSync(join(tls, 'client.key')) }
  expect(await caller(own)).toMatchObject({ principal: 'serviceAccounts/root' })
  await expect(caller({})).rejects.toThrow()
  await endChild(child, 'SIGTERM')
})
