import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Keyring, WrappedDataKey } from '../../../src/keyring/keyring.ts'
import { type OpenBaoRig, startOpenBao } from '../../rigs/openbao/start-openbao.ts'
import { type FaultProxy, openFaultProxy } from '../../rigs/tcp-fault-proxy.ts'
import { createKeptLog, type KeptLog } from './kept-log.ts'
import { failureOf, keyringErrorOf } from './keyring-failure.ts'
import { makeVaultRig, type VaultRig } from './vault-rig.ts'

const place = Buffer.from('acme/prod/secret-1')
/** What calls have where nobody says otherwise, and what a busy machine may add. */
const timeoutMs = 2_000
const slackMs = 1_000

let bao: OpenBaoRig
let proxy: FaultProxy
let rig: VaultRig
let kept: KeptLog
let keyring: Keyring
let wrapped: WrappedDataKey
let plaintext: Uint8Array

beforeAll(async () => {
  bao = await startOpenBao()
})
afterAll(() => bao[Symbol.asyncDispose]())

beforeEach(async () => {
  kept = createKeptLog()
  proxy = await openFaultProxy(bao)
  rig = await makeVaultRig(bao, kept.log)
  keyring = await rig.open({ address: addressOf(proxy) })
  await keyring.createKey('k')
  const dataKey = await keyring.generateDataKey('k', place)
  wrapped = dataKey.wrapped
  plaintext = dataKey.plaintext
})
afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  await rig[Symbol.asyncDispose]()
})

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `http://${host}:${port}`
}

/** Every kind of call; what it fails with, and how long that took. */
async function askEverything(): Promise<{ failures: Set<string>; tookMs: number }> {
  const began = performance.now()
  const calls = [
    keyring.unwrapDataKey(wrapped, place),
    keyring.generateDataKey('k', place),
    keyring.rewrapDataKey(wrapped, place),
    keyring.createKey('another'),
    keyring.rotateKey('k'),
    keyring.describeKey('k'),
    keyring.destroyKey('k'),
    keyring.checkHealth(),
  ]
  const failures = new Set<string>(await Promise.all(calls.map(failureOf)))
  return { failures, tookMs: performance.now() - began }
}

async function answersAgain(): Promise<void> {
  await vi.waitFor(() => keyring.checkHealth(), { timeout: 5_000, interval: 20 })
  expect(await keyring.unwrapDataKey(wrapped, place)).toEqual(plaintext)
}

test('a sealed Vault: UNAVAILABLE at once; unsealed, everything works again without a restart', async () => {
  await bao.seal()
  const { failures, tookMs } = await askEverything()
  expect([...failures]).toEqual(['UNAVAILABLE'])
  expect(tookMs).toBeLessThan(timeoutMs)
  await bao.unseal()
  await answersAgain()
  expect(kept.text().match(/Vault is away/g)).toHaveLength(1)
  expect(kept.text().match(/Vault answers again/g)).toHaveLength(1)
})

test('a Vault that crashed: UNAVAILABLE at once; started again on its data, it opens what was sealed', async () => {
  await bao.kill()
  const { failures, tookMs } = await askEverything()
  expect([...failures]).toEqual(['UNAVAILABLE'])
  expect(tookMs).toBeLessThan(timeoutMs)
  await bao.start()
  await answersAgain()
})

test('a Vault that hangs for 5 s: calls fail in their time, later ones at once, and few are left waiting', async () => {
  keyring = await rig.open({ address: addressOf(proxy), timeoutMs })
  await bao.pause()
  try {
    const began = performance.now()
    const first = await Promise.all(Array.from({ length: 200 }, () => failureOf(keyring.unwrapDataKey(wrapped, place))))
    expect(new Set(first)).toEqual(new Set(['UNAVAILABLE']))
    expect(performance.now() - began).toBeLessThan(timeoutMs + slackMs)
    let slow = 0
    while (performance.now() - began < 5_000) {
      const asked = performance.now()
      await Promise.race([failureOf(keyring.unwrapDataKey(wrapped, place)), sleep(200)])
      if (performance.now() - asked > 150) slow += 1
      await sleep(10)
    }
    // The probes, one after the other, each with all the time a call has.
    expect(slow).toBeLessThanOrEqual(6)
    expect(proxy.connections()).toBeLessThan(40)
  } finally {
    bao.resume()
  }
  await answersAgain()
})

test('a network that swallows what is sent: the same, and other connections after it', async () => {
  keyring = await rig.open({ address: addressOf(proxy), timeoutMs })
  proxy.swallow(true)
  const { failures, tookMs } = await askEverything()
  expect([...failures]).toEqual(['UNAVAILABLE'])
  expect(tookMs).toBeLessThan(timeoutMs + slackMs)
  expect((await askEverything()).tookMs).toBeLessThan(slackMs)
  proxy.swallow(false)
  await answersAgain()
})

test('connections that are reset or refused: UNAVAILABLE, and a new one for the next call', async () => {
  // A kept connection that was closed on the way says nothing of Vault: asked once more, on a new one.
  proxy.cutWhen((_bytes, direction) => (direction === 'toServer' ? 'after' : undefined), { times: 1 })
  expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('none')
  proxy.cutWhen((_bytes, direction) => (direction === 'toServer' ? 'after' : undefined), { times: 2 })
  expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('UNAVAILABLE')
  await answersAgain()
  proxy.refuse(true)
  proxy.cutAll()
  expect([...(await askEverything()).failures]).toEqual(['UNAVAILABLE'])
  proxy.refuse(false)
  await answersAgain()
})

const isRequest = (bytes: Buffer) => bytes.includes('HTTP/1.1')

function reply(status: number, body: string, header = ''): () => Buffer {
  return () => Buffer.from(`HTTP/1.1 ${status} x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${header}\r\n${body}`)
}

test.each([301, 307, 403, 412, 429, 472, 500, 502, 503])(
  'an answer of status %i is no word about the key',
  async (status) => {
    proxy.replyWith(isRequest, reply(status, '{"errors":[]}'))
    expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('UNAVAILABLE')
    await answersAgain()
  },
)

test.each(['', '<html>', '{}', '{"data":null}', '{"data":{"plaintext":"AAAA"}}', '[]', '1'])(
  'the answer %j in place of a key is neither a key nor the end of one',
  async (body) => {
    proxy.replyWith(isRequest, reply(200, body))
    expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('INVALID')
    proxy.replyWith(isRequest, reply(200, body))
    expect(await failureOf(keyring.generateDataKey('k', place))).toBe('INVALID')
    proxy.replyWith(isRequest, reply(200, body))
    expect(await failureOf(keyring.describeKey('k'))).toBe('INVALID')
    proxy.replyWith(isRequest, reply(404, '{"errors":["no handler for route"]}'))
    expect(await failureOf(keyring.describeKey('k'))).toBe('INVALID')
  },
)

test('a redirect is not followed: the token would go with it', async () => {
  const requests: string[] = []
  const thief = createServer((request, response) => {
    requests.push(String(request.headers['x-vault-token']))
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(thief, 'listening')
  const location = `location: http://127.0.0.1:${(thief.address() as AddressInfo).port}/\r\n`
  for (const status of [301, 302, 307, 308]) proxy.replyWith(isRequest, reply(status, '', location))
  for (let count = 0; count < 4; count += 1) {
    expect(await failureOf(keyring.describeKey('k'))).toBe('UNAVAILABLE')
  }
  expect(requests).toEqual([])
  thief.close()
})

test('no token, data key or answer is in an error or a log line', async () => {
  const dataKey = await keyring.generateDataKey('k', place)
  const secrets = [
    bao.rootToken,
    ...['hex', 'base64'].map((form) => Buffer.from(dataKey.plaintext).toString(form as 'hex')),
  ]
  const planted = JSON.stringify({ errors: [`planted ${bao.rootToken}`], data: { plaintext: 'planted' } })
  const errors: unknown[] = []
  for (const status of [200, 301, 400, 403, 404, 405, 418, 429, 500, 503]) {
    for (const call of [
      () => keyring.unwrapDataKey(dataKey.wrapped, place),
      () => keyring.createKey('k2'),
      () => keyring.checkHealth(),
    ]) {
      proxy.replyWith(isRequest, reply(status, planted))
      errors.push(await keyringErrorOf(call()))
      if (status === 503) await answersAgain()
    }
  }
  proxy.refuse(true)
  proxy.cutAll()
  errors.push(await keyringErrorOf(keyring.unwrapDataKey(dataKey.wrapped, place)))
  proxy.refuse(false)
  expect(errors.filter((error) => error !== undefined).length).toBeGreaterThan(25)
  const seen = inspect(errors, { depth: 20, showHidden: true, maxStringLength: null }) + kept.text()
  for (const secret of [...secrets, 'planted', 'x-vault-token']) expect(seen).not.toContain(secret)
})
