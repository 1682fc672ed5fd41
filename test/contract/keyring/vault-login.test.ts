import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Keyring, WrappedDataKey } from '../../../src/keyring/keyring.ts'
import type { VaultCredential } from '../../../src/keyring/vault/vault-lease.ts'
import { type OpenBaoRig, startOpenBao, type TokenOptions } from '../../rigs/openbao/start-openbao.ts'
import { openFaultProxy } from '../../rigs/tcp-fault-proxy.ts'
import { createKeptLog, type KeptLog } from './kept-log.ts'
import { failureOf, keyringErrorOf } from './keyring-failure.ts'
import { makeVaultRig, tokenOf, type VaultRig } from './vault-rig.ts'

const place = Buffer.from('acme/prod/secret-1')
const everything = 'path "*" { capabilities = ["create", "read", "update", "delete"] }'

let bao: OpenBaoRig
let rig: VaultRig
let kept: KeptLog
let wrapped: WrappedDataKey
let names = 0

beforeAll(async () => {
  bao = await startOpenBao()
})
afterAll(() => bao[Symbol.asyncDispose]())

beforeEach(async () => {
  kept = createKeptLog()
  rig = await makeVaultRig(bao, kept.log)
  await bao.writePolicy('everything', everything)
  const root = await rig.open()
  await root.createKey('k')
  wrapped = (await root.generateDataKey('k', place)).wrapped
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rig[Symbol.asyncDispose]()
})

async function makeRole(options: Omit<TokenOptions, 'policies'>): Promise<VaultCredential & { readonly name: string }> {
  names += 1
  const name = `role-${names}`
  const role = await bao.makeAppRole(name, { policies: ['everything'], ...options })
  return { kind: 'approle', name, ...role }
}

const logins = () => bao.audited('auth/approle/login')
const renewals = () => bao.audited('auth/token/renew-self')
const lookUps = () => bao.audited('auth/token/lookup-self')

/** Calls one after the other on eight lines. Answers how many failed, by reason. */
async function underLoad(keyring: Keyring, durationMs: number): Promise<Record<string, number>> {
  const end = performance.now() + durationMs
  const failures: Record<string, number> = {}
  const line = async () => {
    while (performance.now() < end) {
      const failure = await failureOf(keyring.unwrapDataKey(wrapped, place))
      if (failure !== 'none') failures[failure] = (failures[failure] ?? 0) + 1
      await sleep(5)
    }
  }
  await Promise.all(Array.from({ length: 8 }, line))
  return failures
}

/** Ends every token the role has given. */
async function revokeTokens(): Promise<void> {
  await bao.ask('POST', 'sys/leases/revoke-prefix/auth/approle')
}

test('a token of a role is renewed in time, and replaced before its longest life ends; no call notices', async () => {
  const before = { logins: logins(), renewals: renewals() }
  const keyring = await rig.open({ credential: await makeRole({ ttlSeconds: 2, maxTtlSeconds: 3 }) })
  expect(await underLoad(keyring, 4_500)).toEqual({})
  expect(renewals() - before.renewals).toBeGreaterThanOrEqual(2)
  const count = logins() - before.logins
  expect(count).toBeGreaterThanOrEqual(2)
  expect(count).toBeLessThanOrEqual(4)
})

test('a token of a role that is revoked under load is replaced by one login, and no call fails', async () => {
  const keyring = await rig.open({ credential: await makeRole({ ttlSeconds: 600 }) })
  const before = logins()
  const load = underLoad(keyring, 1_500)
  await sleep(300)
  await revokeTokens()
  expect(await load).toEqual({})
  expect(logins() - before).toBe(1)
})

test('a role that is refused is tried once a second at most, whatever the load, and works again when it is let in', async () => {
  const credential = await makeRole({ ttlSeconds: 600 })
  const keyring = await rig.open({ credential })
  const role = `auth/approle/role/${credential.name}`
  await bao.ask('POST', role, { token_policies: ['everything'], secret_id_bound_cidrs: '10.9.9.9/32' })
  await revokeTokens()
  const before = logins()
  const failures = await underLoad(keyring, 2_500)
  expect(Object.keys(failures)).toEqual(['UNAVAILABLE'])
  const count = logins() - before
  expect(count).toBeGreaterThanOrEqual(1)
  expect(count).toBeLessThanOrEqual(3)
  expect(kept.text()).toContain('Vault refuses the role id and the secret id')
  await bao.ask('POST', role, { token_policies: ['everything'], secret_id_bound_cidrs: [] })
  await vi.waitFor(() => keyring.checkHealth(), { timeout: 10_000, interval: 50 })
})

test('what a policy does not allow is UNAVAILABLE and no reason to log in again', async () => {
  const keyring = await rig.open({ credential: await makeRole({ ttlSeconds: 600 }) })
  await bao.writePolicy('everything', 'path "nothing" { capabilities = ["read"] }')
  const before = { logins: logins(), lookUps: lookUps() }
  expect(Object.keys(await underLoad(keyring, 1_500))).toEqual(['UNAVAILABLE'])
  expect(logins()).toBe(before.logins)
  expect(lookUps() - before.lookUps).toBeLessThanOrEqual(2)
})

test('a token that ends stays UNAVAILABLE, says so to the operator, and is not asked about in every call', async () => {
  const token = await bao.makeToken({ policies: ['everything'], ttlSeconds: 1, maxTtlSeconds: 1 })
  const keyring = await rig.open({ credential: tokenOf(token) })
  await sleep(1_500)
  const before = lookUps()
  expect(Object.keys(await underLoad(keyring, 1_500))).toEqual(['UNAVAILABLE'])
  expect(lookUps() - before).toBeLessThanOrEqual(3)
  expect((await keyringErrorOf(keyring.unwrapDataKey(wrapped, place)))?.message).toMatch(/the token has ended/)
  expect(kept.text()).toMatch(/give the server another one/)
  expect(kept.text()).not.toContain(token)
})

test('a token that can be renewed is, also where Vault cannot be reached at first', async () => {
  await using proxy = await openFaultProxy(bao)
  const token = await bao.makeToken({ policies: ['everything'], ttlSeconds: 8 })
  const keyring = await rig.open({ address: `http://${proxy.host}:${proxy.port}`, credential: tokenOf(token) })
  proxy.refuse(true)
  proxy.cutAll()
  await vi.waitFor(() => expect(kept.text()).toContain('Vault cannot be asked for a token'), { timeout: 8_000 })
  proxy.refuse(false)
  const before = renewals()
  await vi.waitFor(() => expect(renewals()).toBe(before + 1), { timeout: 8_000 })
  const { data } = await bao.ask('POST', 'auth/token/lookup', { token })
  expect(data?.ttl).toBeGreaterThan(5)
  expect(await failureOf(keyring.checkHealth())).toBe('none')
})

test('a wrong token, role or secret id is refused at the start', async () => {
  const { roleId, secretId } = await bao.makeAppRole('wrong', { policies: ['everything'], ttlSeconds: 600 })
  const wrong: VaultCredential[] = [
    tokenOf('s.wrong'),
    { kind: 'approle', roleId, secretId: 'wrong' },
    { kind: 'approle', roleId: 'wrong', secretId },
  ]
  for (const credential of wrong) {
    const error = await keyringErrorOf(rig.open({ credential }))
    expect(error?.reason).toBe('UNAVAILABLE')
    expect(error?.message).toMatch(/^Vault refuses the (token|role id and the secret id): .*wrong/)
  }
})

test('nothing of the environment gets into a call', async () => {
  vi.stubEnv('VAULT_TOKEN', 's.of-the-environment')
  vi.stubEnv('VAULT_ADDR', 'http://127.0.0.1:1')
  vi.stubEnv('VAULT_NAMESPACE', 'elsewhere')
  vi.stubEnv('VAULT_PREFIX', '/elsewhere')
  for (const name of ['http_proxy', 'HTTP_PROXY', 'all_proxy']) vi.stubEnv(name, 'http://127.0.0.1:1')
  const keyring = await rig.open({ credential: await makeRole({ ttlSeconds: 600 }) })
  expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('none')
})

test('a token of our own making is given back at the end', async () => {
  const before = bao.audited('auth/token/revoke-self')
  const keyring = await rig.open({ credential: await makeRole({ ttlSeconds: 600 }) })
  await keyring[Symbol.asyncDispose]()
  expect(bao.audited('auth/token/revoke-self')).toBe(before + 1)
})

test('everything, the login too, happens in the namespace that is named', async () => {
  await bao.ask('POST', 'sys/namespaces/team')
  await bao.mountTransit('transit')
  await bao.ask('POST', 'team/sys/mounts/transit', { type: 'transit' })
  const keyring = await rig.open({ mount: 'transit', namespace: 'team' })
  await keyring.createKey('mine')
  await expect(bao.ask('GET', 'team/transit/keys/tenure_key_mine_')).resolves.toBeDefined()
  await expect(bao.ask('GET', 'transit/keys/tenure_key_mine_')).rejects.toThrow('404')
})
