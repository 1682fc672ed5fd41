import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { askBao } from '../rigs/openbao/bao-api.ts'

/** What keyring the tests run on; vitest.config.ts says which for each project, unless it is given from outside. */
const testKeyring = process.env.TENURE_TEST_KEYRING ?? 'local'
if (testKeyring !== 'local' && testKeyring !== 'openbao') {
  throw new Error('TENURE_TEST_KEYRING must be local or openbao')
}

export type KeyringSettings = Readonly<Record<string, string>>

/** Of the installation in `folder`: a folder in it, or a mount of its own in the OpenBao of this run. */
export function keyringSettingsOf(folder: string): KeyringSettings {
  if (testKeyring === 'local') return localKeyringOf(folder)
  const mount = `t${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`
  const token = demand('TENURE_TEST_OPENBAO_SERVER_TOKEN')
  return { TENURE_KEYRING: `vault:${mount}`, VAULT_ADDR: demand('TENURE_TEST_OPENBAO'), VAULT_TOKEN: token }
}

/** For tests that are about the folder itself. */
export function localKeyringOf(folder: string): KeyringSettings {
  return { TENURE_KEYRING: `local:${join(folder, 'keyring')}` }
}

const ensured = new Map<string, Promise<void>>()

/** Mounts what the settings name, where it is in the OpenBao of this run: once for each. */
export function ensureKeyring({ TENURE_KEYRING: keyring, VAULT_ADDR: address }: NodeJS.ProcessEnv): Promise<void> {
  if (keyring?.startsWith('vault:') !== true || address !== process.env.TENURE_TEST_OPENBAO) return Promise.resolve()
  const mount = keyring.slice('vault:'.length)
  const ready = ensured.get(mount) ?? mountTransit(mount)
  ensured.set(mount, ready)
  return ready
}

async function mountTransit(mount: string): Promise<void> {
  const address = demand('TENURE_TEST_OPENBAO')
  const token = demand('TENURE_TEST_OPENBAO_TOKEN')
  const { status, body } = await askBao(address, token, 'POST', `sys/mounts/${mount}`, { type: 'transit' })
  // Another process of this run was first.
  const isThere = body.errors?.join().includes('path is already in use') === true
  if (status >= 300 && !isThere) throw new Error(`OpenBao does not mount transit at ${mount}: ${body.errors?.join()}`)
}

function demand(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error('OpenBao is not there: see what the start of this run says about it')
  return value
}
