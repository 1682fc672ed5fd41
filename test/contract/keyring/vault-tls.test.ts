import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OpenBaoRig, startOpenBao } from '../../rigs/openbao/start-openbao.ts'
import { keyringErrorOf } from './keyring-failure.ts'
import { makeVaultRig, type VaultRig } from './vault-rig.ts'

let folder: string
let bao: OpenBaoRig
let rig: VaultRig

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-vault-tls-'))
  bao = await startOpenBao()
  rig = await makeVaultRig(bao)
})
afterAll(async () => {
  await rig[Symbol.asyncDispose]()
  await bao[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** TLS in front of Vault, under a certificate that signs itself, for one name. */
async function openTls(name: string) {
  const at = (file: string) => join(folder, `${name}.${file}`)
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const files = ['-keyout', at('key'), '-out', at('crt')]
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, ...files], { stdio: 'ignore' })
  const ca = readFileSync(at('crt'))
  let connections = 0
  const server = createServer({ cert: ca, key: readFileSync(at('key')) }, (client) => {
    connections += 1
    const upstream = connect(bao.port, bao.host)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `https://localhost:${(server.address() as AddressInfo).port}`
  return { ca, address, connections: () => connections, [Symbol.dispose]: () => void server.close() }
}

test('over TLS, under an authority that is named, calls share connections', async () => {
  using tls = await openTls('localhost')
  const keyring = await rig.open({ address: tls.address, ca: tls.ca })
  await keyring.createKey('k')
  for (let count = 0; count < 20; count += 1) await keyring.generateDataKey('k', Buffer.from('place'))
  expect(tls.connections()).toBeLessThanOrEqual(2)
  await keyring[Symbol.asyncDispose]()
})

test('an authority that is not trusted, and a certificate for another name, are refused before a token is sent', async () => {
  using tls = await openTls('localhost')
  using other = await openTls('elsewhere.test')
  const tries = [
    { address: tls.address, ca: undefined },
    { address: tls.address, ca: other.ca },
    { address: other.address, ca: other.ca },
  ]
  const before = bao.audited('auth/token/lookup-self')
  for (const options of tries) {
    const error = await keyringErrorOf(rig.open(options))
    expect(error?.reason).toBe('UNAVAILABLE')
    expect(error?.message).toMatch(/cannot be reached \([A-Z_]*(?:CERT|ISSUER|SIGNATURE)[A-Z_]*\)/)
  }
  expect(bao.audited('auth/token/lookup-self')).toBe(before)
})
