import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@connectrpc/connect'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { StartError } from '../../../src/base/start-error.ts'
import { DiagnosticsService } from '../../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { startServer } from '../../../src/server.ts'
import { type OpenBaoRig, startOpenBao } from '../../rigs/openbao/start-openbao.ts'
import { childEnvironment, refusedStart } from '../../support/child-server.ts'
import { startTestServer, testConfig } from '../../support/test-server.ts'

let folder: string
let bao: OpenBaoRig
let env: Record<string, string>
let mounts = 0

beforeAll(async () => {
  bao = await startOpenBao()
})
afterAll(() => bao[Symbol.asyncDispose]())

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-vault-start-'))
  mounts += 1
  await bao.mountTransit(`start-${mounts}`)
  env = { TENURE_KEYRING: `vault:start-${mounts}`, VAULT_ADDR: bao.address, VAULT_TOKEN: bao.rootToken }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What the operator reads where a start is refused. */
async function refusal(changed: Record<string, string> = {}): Promise<string> {
  try {
    await using server = await startServer(testConfig(folder, { ...env, ...changed }))
    expect(server).toBeUndefined()
  } catch (error) {
    if (error instanceof StartError) return error.message
    throw error
  }
  return ''
}

test('a server whose keys are in Vault says so, and finds them again at its next start', async () => {
  for (let start = 0; start < 2; start += 1) {
    await using running = await startTestServer({ folder, env })
    const client = createClient(DiagnosticsService, running.transport(running.rootKey))
    expect((await client.getServerInfo({})).keyring).toBe('vault')
  }
})

test('without Vault there is one sentence and exit code 1', async () => {
  const words = await refusedStart(childEnvironment(folder, { ...env, VAULT_ADDR: 'http://127.0.0.1:1' }))
  expect(words).toBe(
    'tenure: Vault at http://127.0.0.1:1 cannot be reached (ECONNREFUSED). Start it, or set VAULT_ADDR to where it is; between machines look at the network.',
  )
})

test('a wrong token, a mount that is missing, and a policy that is too narrow stop the start with a sentence', async () => {
  expect(await refusal({ VAULT_TOKEN: 's.wrong' })).toMatch(/^Vault refuses the token: .*\.$/)
  expect(await refusal({ TENURE_KEYRING: 'vault:nowhere' })).toMatch(/mount the transit engine there\.$/)
  await bao.writePolicy('narrow', `path "start-${mounts}/keys/*" { capabilities = ["read"] }`)
  const token = await bao.makeToken({ policies: ['narrow'], ttlSeconds: 60 })
  expect(await refusal({ VAULT_TOKEN: token })).toMatch(/its policy does not allow that\.$/)
})

test('a sealed Vault stops the start with a sentence', async () => {
  await bao.seal()
  expect(await refusal()).toMatch(/is sealed or has no active node\. Unseal it, .*\.$/)
  await bao.unseal()
})

test.each(['exportable', 'allow_plaintext_backup'])('a platform key that is %s stops the start', async (name) => {
  await startTestServer({ folder, env }).then((running) => running[Symbol.asyncDispose]())
  await bao.ask('POST', `start-${mounts}/keys/tenure_key_tenure-platform_/config`, { [name]: true })
  expect(await refusal()).toMatch(/^The key tenure-platform in Vault (is exportable|allows backups in plaintext)\./)
})

test('the mount of another installation is not taken for the one the database was made with', async () => {
  await startTestServer({ folder, env }).then((running) => running[Symbol.asyncDispose]())
  await bao.mountTransit(`start-${mounts}-other`)
  expect(await refusal({ TENURE_KEYRING: `vault:start-${mounts}-other` })).toMatch(/The keyring is not the one/)
})
