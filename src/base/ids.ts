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

function uuidV7(nowMs: number, random: RandomFill): string {
  const bytes = Buffer.alloc(16)
  random(bytes)
  bytes.writeUIntBE(nowMs, 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return uuidFromBytes(bytes)
}

export function uuidFromBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isUuid(text: string): boolean {
  return uuidPattern.test(text)
}
