import { existsSync } from 'node:fs'
import { type CodeFamily, codedOf, codeFamilies } from './base/coded-columns.ts'
import type { Config } from './config/config.ts'
import type { DatabaseConfig } from './config/stores.ts'
import { openKey, unopenedSigningKey } from './credentials/signing-key-store.ts'
import { type Finding, failed, ok, warning } from './doctor-finding.ts'
import type { Keyring } from './keyring/keyring.ts'
import { codeKeys, isThere, lostKey, openKeyring, platformKeyId, platformKeys, unseal } from './platform-keys.ts'
import type { Runtime } from './server.ts'
import { tableNameOf } from './storage/schema-model.ts'
import { readRows } from './storage-check.ts'
import { cellTables, directoryTables } from './tables.ts'

/** What the keyring has sealed into a database, and which families of codes any row has. */
interface SealedRows {
  readonly envelopes: ReadonlyMap<string, Uint8Array>
  readonly signing: readonly { readonly kid: string; readonly signingKeyId: string; readonly envelope: Uint8Array }[]
  readonly coded: ReadonlySet<CodeFamily>
}

/** Opens what a start would open, with this keyring, and makes nothing: what there is to make, a start makes. */
export async function examineKeyring(config: Config, runtime: Runtime): Promise<Finding> {
  const sealed = await sealedRows(config.database)
  const { keyring: where } = config
  if (where.kind === 'local' && !existsSync(where.folder)) return withoutFolder(where.folder, sealed)
  await using keyring = await openKeyring(config, runtime, { lookOnly: true })
  await keyring.checkHealth()
  const isFirst = sealed !== undefined && sealed.envelopes.size === 0 && sealed.signing.length === 0
  if (isFirst || sealed === undefined) {
    if (!(await isThere(keyring, platformKeyId))) return withoutKey(sealed)
  }
  if (sealed === undefined) {
    return ok(
      `The ${where.kind} keyring answers and has a key of the platform; whether of this database, the lines above keep from being seen.`,
    )
  }
  await openSealed(keyring, sealed)
  const { name } = platformKeys.pageToken
  if (sealed.envelopes.has(name) || isFirst) {
    return ok(`The ${where.kind} keyring answers and ${isFirst ? 'has the key of the platform' : opens}.`)
  }
  return warning(
    `The keyring is the one of this database, but sealed_keys lacks ${name}. The next start makes it anew; what was made with the old one (pages of lists, repeated request ids) is not known again. Put the row back, if somebody removed it.`,
  )
}

const opens = 'opens what it sealed in this database'

function withoutFolder(folder: string, sealed: SealedRows | undefined): Finding {
  if (sealed === undefined || sealed.envelopes.size + sealed.signing.length === 0) {
    return warning(`There is no keyring at ${folder}. The first start makes it; if there was one, set TENURE_KEYRING.`)
  }
  return failed(
    `There is no keyring at ${folder}, and this database was made with one. Put the keyring back, or set TENURE_KEYRING to it.`,
  )
}

function withoutKey(sealed: SealedRows | undefined): Finding {
  const start = 'The keyring answers and has no key of the platform.'
  if (sealed === undefined) return warning(`${start} A first start makes it; if there was one, look at TENURE_KEYRING.`)
  return warning(`${start} The first start makes it; this database has nothing sealed yet.`)
}

/** Throws the sentence that a start would end with. */
async function openSealed(keyring: Keyring, { envelopes, signing, coded }: SealedRows): Promise<void> {
  const { pageToken } = platformKeys
  const pageTokens = envelopes.get(pageToken.name)
  // First: it has no anchor, so that where the keyring is another one this is what is said.
  if (pageTokens !== undefined) (await unseal(keyring, pageToken, pageTokens))?.fill(0)
  for (const family of codeFamilies) {
    const which = codeKeys[family]
    const envelope = envelopes.get(which.name)
    const key = envelope === undefined ? undefined : await unseal(keyring, which, envelope)
    const isLost = envelope !== undefined || (await isThere(keyring, which.anchor))
    if (key === undefined && isLost && coded.has(family)) throw lostKey(envelope)
    key?.fill(0)
  }
  const parts = { keyring, keyId: platformKeyId, failed: () => undefined }
  const opened = await Promise.all(signing.map((row) => openKey(parts, row)))
  if (signing.length > 0 && opened.every((each) => each === undefined)) throw unopenedSigningKey()
}

/** Undefined: they cannot be read, which database and schema say more about. */
async function sealedRows(database: DatabaseConfig): Promise<SealedRows | undefined> {
  try {
    const keys = await readRows(database, 'SELECT key_name, envelope FROM sealed_keys')
    const signing = await readRows(
      database,
      "SELECT kid, signing_key_id, envelope FROM signing_keys WHERE state = 'ACTIVE'",
    )
    return {
      envelopes: new Map(keys.map((row) => [String(row.key_name), row.envelope as Uint8Array])),
      signing: signing.map((row) => ({
        ...{ kid: String(row.kid), signingKeyId: String(row.signing_key_id) },
        envelope: row.envelope as Uint8Array,
      })),
      coded: await codedIn(database),
    }
  } catch {
    return undefined
  }
}

async function codedIn(database: DatabaseConfig): Promise<Set<CodeFamily>> {
  const found = new Set<CodeFamily>()
  for (const family of codeFamilies) {
    const tables = [...directoryTables, ...cellTables].filter((table) => codedOf(table)?.family === family)
    const exists = tables.map((table) => `EXISTS (SELECT 1 FROM ${tableNameOf(table)})`).join(' OR ')
    const [row] = await readRows(database, `SELECT ${exists} AS held`)
    if (Number(row?.held) === 1) found.add(family)
  }
  return found
}
