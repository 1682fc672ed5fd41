import { createDecipheriv } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TenantId, WorkspaceId } from '../../../src/base/ids.ts'
import { openValue, sealValue } from '../../../src/keyring/envelope.ts'
import { countingRandom, makeLocalRig, realRandom, steppingClock } from '../../contract/keyring/local-rig.ts'

const file = new URL('./sealed-vector.json', import.meta.url)
const keyId = 'ws-0001'
const place = {
  purpose: 'secret-value',
  tenantId: '01890000-0000-7000-8000-00000000000a' as TenantId,
  workspaceId: '01890000-0000-7000-8000-000000000001' as WorkspaceId,
  objectId: '01890000-0000-7000-8000-000000000002',
  version: 3,
}
const value = Buffer.from('correct horse battery staple')
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

interface Vector {
  readonly keyFile: string
  readonly wrappedDataKey: { readonly authenticatedData: string; readonly plaintext: string; readonly bytes: string }
  readonly envelope: string
}

async function makeVector(): Promise<Vector> {
  const random = countingRandom()
  await using rig = await makeLocalRig(random, steppingClock())
  const keyring = await rig.open()
  await keyring.createKey(keyId)
  const keyFile = hex(await readFile(join(rig.folder, `${keyId}.1.key`)))
  const { plaintext, wrapped } = await keyring.generateDataKey(keyId, Buffer.from('place'))
  const envelope = await sealValue(keyring, keyId, place, value, random)
  return {
    keyFile,
    wrappedDataKey: {
      authenticatedData: hex(Buffer.from('place')),
      plaintext: hex(plaintext),
      bytes: hex(wrapped.bytes),
    },
    envelope: hex(envelope),
  }
}

function storedVector(): Vector {
  return JSON.parse(readFileSync(file, 'utf8'))
}

test('key files, wrapped keys and envelopes are written as ever; UPDATE_VECTORS=1 rewrites the vector', async () => {
  const vector = await makeVector()
  if (process.env.UPDATE_VECTORS === '1') writeFileSync(file, `${JSON.stringify(vector, null, 2)}\n`)
  expect(vector).toEqual(storedVector())
})

test('what was written once still opens', async () => {
  const { keyFile, wrappedDataKey, envelope } = storedVector()
  await using rig = await makeLocalRig(realRandom)
  await mkdir(rig.folder, { recursive: true, mode: 0o700 })
  await writeFile(join(rig.folder, `${keyId}.1.key`), Buffer.from(keyFile, 'hex'), { mode: 0o600 })
  const keyring = await rig.open()
  const wrapped = { keyId, keyVersion: 1, bytes: Buffer.from(wrappedDataKey.bytes, 'hex') }
  const authenticated = Buffer.from(wrappedDataKey.authenticatedData, 'hex')
  expect(hex(await keyring.unwrapDataKey(wrapped, authenticated))).toBe(wrappedDataKey.plaintext)
  expect(await openValue(keyring, keyId, place, Buffer.from(envelope, 'hex'))).toEqual(value)
})

test('the formats are what they are said to be: AES-256-GCM over length-prefixed parts, taken apart by hand', () => {
  const { keyFile, wrappedDataKey, envelope } = storedVector()
  const key = Buffer.from(keyFile, 'hex').subarray(23, 55)
  const boundBy = (authenticated: Uint8Array) => prefixed(['tenure-local-data-key', '1', keyId, '1', authenticated])

  const wrapped = Buffer.from(wrappedDataKey.bytes, 'hex')
  expect(wrapped[0]).toBe(1)
  const authenticated = Buffer.from(wrappedDataKey.authenticatedData, 'hex')
  expect(hex(decrypt(key, boundBy(authenticated), wrapped.subarray(1)))).toBe(wrappedDataKey.plaintext)

  const { purpose, tenantId, workspaceId, objectId, version } = place
  const placeBytes = prefixed([purpose, tenantId, workspaceId, objectId, String(version), keyId])
  const fields = fieldsOf(Buffer.from(envelope, 'hex'))
  const [format, id, keyVersion, wrappedKey, nonce, ciphertext] = fields
  expect([hex(format ?? Buffer.of()), id?.toString(), hex(keyVersion ?? Buffer.of())]).toEqual(['01', keyId, '01'])
  const dataKey = decrypt(key, boundBy(placeBytes), (wrappedKey ?? Buffer.of()).subarray(1))
  expect(decrypt(dataKey, placeBytes, Buffer.concat([nonce ?? Buffer.of(), ciphertext ?? Buffer.of()]))).toEqual(value)
})

function prefixed(parts: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part)
      return [Buffer.of(0, 0, 0, bytes.length), bytes]
    }),
  )
}

function decrypt(key: Buffer, authenticated: Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
  decipher.setAAD(authenticated)
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
}

/** Fields 1 to 6 of an envelope whose fields are all shorter than 128 bytes. */
function fieldsOf(bytes: Buffer): Buffer[] {
  const fields: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const isVarint = ((bytes[at] ?? 0) & 7) === 0
    const length = isVarint ? 1 : (bytes[at + 1] ?? 0)
    const start = isVarint ? at + 1 : at + 2
    fields.push(bytes.subarray(start, start + length))
    at = start + length
  }
  return fields
}
