import type { RandomFill } from '../../base/ids.ts'
import { badCiphertext } from '../aead.ts'
import { type DataKeys, dataKeysOver } from '../data-keys.ts'
import { checkAuthenticatedData, checkKeyId, dataKeyBytes, type WrappedDataKey } from '../keyring.ts'
import { KeyringError } from '../keyring-error.ts'
import { numberIn, textIn } from './answer-fields.ts'
import type { KeyWatch } from './key-watch.ts'
import type { TransitStore } from './transit-store.ts'
import {
  formatTransitCiphertext,
  openDataKey,
  parseTransitCiphertext,
  sealDataKey,
  splitWrapped,
  type TransitCiphertext,
} from './wrapped-key.ts'

interface WrappingKey {
  readonly plaintext: Uint8Array
  readonly ciphertext: TransitCiphertext
}

/**
 * Transit makes and wraps a key that is used once, to seal the data key here, under its authenticated data: one call for
 * each data key. Transit's `encrypt` would wrap the data key itself, but makes the key anew where it was destroyed; and
 * not every Vault binds authenticated data to what `datakey` makes.
 */
export function createVaultDataKeys(store: TransitStore, watch: KeyWatch, random: RandomFill): DataKeys {
  const wrap = async (keyId: string, dataKey: Uint8Array, authenticated: Uint8Array): Promise<WrappedDataKey> => {
    await watch.demandLately(keyId)
    const data = await store.use('datakey/plaintext', keyId, { bits: dataKeyBytes * 8 })
    if (data === undefined) throw await reasonOf(watch, keyId)
    const { plaintext, ciphertext } = wrappingKeyIn(data)
    try {
      const parts = { wrappingKey: plaintext, wrappedByTransit: ciphertext.bytes }
      const bytes = sealDataKey(keyId, parts, dataKey, authenticated, random)
      return { keyId, keyVersion: ciphertext.version, bytes }
    } finally {
      plaintext.fill(0)
    }
  }

  const unwrap = async (wrapped: WrappedDataKey, authenticated: Uint8Array): Promise<Uint8Array> => {
    const { keyId, keyVersion } = wrapped
    checkKeyId(keyId)
    checkAuthenticatedData(authenticated)
    const parts = isVersion(keyVersion) ? splitWrapped(wrapped.bytes) : undefined
    if (parts === undefined) {
      await watch.demand(keyId)
      throw badCiphertext()
    }
    const body = { ciphertext: formatTransitCiphertext(keyVersion, parts.byTransit) }
    const data = await store.use('decrypt', keyId, body)
    if (data === undefined) throw await whyNotOpened(watch, keyId, keyVersion)
    const wrappingKey = bytesIn(data)
    if (wrappingKey?.length !== dataKeyBytes) throw notAsTransit()
    try {
      return openDataKey(keyId, wrappingKey, parts.sealed, authenticated)
    } finally {
      wrappingKey.fill(0)
    }
  }

  return dataKeysOver({ wrap, unwrap }, random)
}

function isVersion(version: number): boolean {
  return Number.isSafeInteger(version) && version >= 1 && version < 1e9
}

function wrappingKeyIn(data: unknown): WrappingKey {
  const plaintext = bytesIn(data)
  const ciphertext = parseTransitCiphertext(textIn(data, 'ciphertext'))
  const version = numberIn(data, 'key_version') ?? ciphertext?.version
  if (plaintext?.length !== dataKeyBytes || ciphertext === undefined || ciphertext.version !== version) {
    throw notAsTransit()
  }
  return { plaintext, ciphertext }
}

function notAsTransit(): KeyringError {
  return new KeyringError('INVALID', 'Vault answers with what is no data key of the transit engine.')
}

function bytesIn(data: unknown): Buffer | undefined {
  const encoded = textIn(data, 'plaintext')
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64')
}

/** Why Transit made no data key: it says so in words, which are not for programs. */
async function reasonOf(watch: KeyWatch, keyId: string): Promise<KeyringError> {
  watch.forget(keyId)
  await watch.demand(keyId)
  return new KeyringError('INVALID', `Vault does not make data keys under the key ${keyId}.`)
}

async function whyNotOpened(watch: KeyWatch, keyId: string, version: number): Promise<KeyringError> {
  const { minDecryptionVersion } = await watch.demand(keyId)
  if (version >= minDecryptionVersion) return badCiphertext()
  return new KeyringError(
    'INVALID',
    `The key ${keyId} in Vault opens nothing older than version ${minDecryptionVersion}. Lower its min_decryption_version.`,
  )
}
