/** What a name in the folder of a keyring stands for. */
export type KeyFileName =
  | { readonly kind: 'key'; readonly keyId: string; readonly version: number }
  | { readonly kind: 'tombstone'; readonly keyId: string }
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'foreign' }

const keyPattern = /^([a-z0-9-]{1,128})\.([1-9]\d{0,5})\.key$/
const tombstonePattern = /^([a-z0-9-]{1,128})\.destroyed$/
const unfinishedPattern = /^[a-z0-9-]{1,128}\.(?:[1-9]\d{0,5}\.key|destroyed)\.[0-9a-f]{16}\.tmp$/

export function keyFileName(keyId: string, version: number): string {
  return `${keyId}.${version}.key`
}

export function tombstoneName(keyId: string): string {
  return `${keyId}.destroyed`
}

export function unfinishedName(name: string, suffix: Buffer): string {
  return `${name}.${suffix.toString('hex')}.tmp`
}

export function parseKeyFileName(name: string): KeyFileName {
  const [, keyId, version] = keyPattern.exec(name) ?? []
  if (keyId !== undefined) return { kind: 'key', keyId, version: Number(version) }
  const [, destroyedId] = tombstonePattern.exec(name) ?? []
  if (destroyedId !== undefined) return { kind: 'tombstone', keyId: destroyedId }
  return { kind: unfinishedPattern.test(name) ? 'unfinished' : 'foreign' }
}
