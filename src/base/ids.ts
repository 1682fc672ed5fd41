import type { Clock } from './clock.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

export type TenantId = Branded<'TenantId'>
export type WorkspaceId = Branded<'WorkspaceId'>
export type PrincipalId = Branded<'PrincipalId'>
export type MembershipId = Branded<'MembershipId'>
export type RoleId = Branded<'RoleId'>
export type ApiKeyId = Branded<'ApiKeyId'>

/** Stands for "the platform" where a tenant is expected and for "tenant level" where a workspace is: a bound value that no uid can equal. */
export const nilUuid = '00000000-0000-0000-0000-000000000000'
export const platformTenantId = nilUuid as TenantId
export const tenantLevel = nilUuid as WorkspaceId

/** Fills the given array with random bytes from a cryptographic source. */
export type RandomFill = (bytes: Uint8Array) => void

/** Makes UUIDv7 identifiers (RFC 9562): ordered by creation time, 74 random bits. */
export interface Ids {
  next<Id extends string = string>(): Id
}

export function createIds(clock: Clock, random: RandomFill): Ids {
  return {
    next: <Id extends string>() => uuidV7(clock.nowMs(), random) as Id,
  }
}

// One of each for all identifiers: a small array whose memory is looked at from outside costs the collector dearly.
const scratch = Buffer.alloc(16)
const text = Buffer.alloc(36, '-')

function uuidV7(nowMs: number, random: RandomFill): string {
  random(scratch)
  scratch.writeUIntBE(nowMs, 0, 6)
  scratch[6] = ((scratch[6] ?? 0) & 0x0f) | 0x70
  scratch[8] = ((scratch[8] ?? 0) & 0x3f) | 0x80
  return uuidFromBytes(scratch)
}

const hexDigits = Buffer.from('0123456789abcdef', 'latin1')
const dashes: ReadonlySet<number> = new Set([8, 13, 18, 23])
/** Where the two digits of each byte stand. */
const digitAt = Uint8Array.from(
  Array.from({ length: 36 }, (_, at) => at)
    .filter((at) => !dashes.has(at))
    .filter((_, index) => index % 2 === 0),
)

export function uuidFromBytes(bytes: Uint8Array): string {
  for (let index = 0; index < 16; index += 1) {
    const byte = bytes[index] ?? 0
    const at = digitAt[index] ?? 0
    text[at] = hexDigits[byte >> 4] ?? 0
    text[at + 1] = hexDigits[byte & 0x0f] ?? 0
  }
  return text.toString('latin1')
}

export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isUuid(text: string): boolean {
  return uuidPattern.test(text)
}
