import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askBao } from './bao-api.ts'
import { type OpenBaoRig, startOpenBao } from './start-openbao.ts'

let folder: string
let bao: OpenBaoRig

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-openbao-'))
  bao = await startOpenBao({ folder })
  await bao.mountTransit('transit')
})

afterAll(async () => {
  await bao[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const readKey = (token = bao.rootToken) => askBao(bao.address, token, 'GET', 'transit/keys/kept')

test('what was made before a kill is there after the next start', async () => {
  await bao.ask('POST', 'transit/keys/kept')
  const { port } = bao
  await bao.kill()
  expect(bao.pid).toBeUndefined()
  await bao.start()
  expect(bao.port).toBe(port)
  expect((await readKey()).status).toBe(200)
})

test('another rig over the same folder has its data and its root token', async () => {
  await bao.stop()
  const before = bao.rootToken
  bao = await startOpenBao({ folder })
  expect(bao.rootToken).toBe(before)
  expect((await readKey()).status).toBe(200)
})

test('a sealed one refuses, and works again unsealed', async () => {
  await bao.seal()
  expect((await readKey()).status).toBe(503)
  await bao.unseal()
  expect((await readKey()).status).toBe(200)
})

test('tokens and roles have their policies alone, and requests are counted', async () => {
  await bao.writePolicy('reader', 'path "transit/keys/kept" { capabilities = ["read"] }')
  const options = { policies: ['reader'], ttlSeconds: 60 }
  const { roleId, secretId } = await bao.makeAppRole('reader', options)
  const login = { role_id: roleId, secret_id: secretId }
  const { body } = await askBao(bao.address, undefined, 'POST', 'auth/approle/login', login)
  for (const token of [await bao.makeToken(options), body.auth?.client_token ?? '']) {
    expect((await readKey(token)).status).toBe(200)
    expect((await askBao(bao.address, token, 'POST', 'transit/keys/kept/rotate')).status).toBe(403)
  }
  expect(bao.audited('auth/approle/login')).toBe(1)
})
