import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { TenureError } from '../base/errors.ts'
import type { RandomFill } from '../base/ids.ts'
import { lengthPrefixed } from '../base/length-prefixed.ts'
import { PageTokenSchema } from '../gen/tenure/internal/v1/page_token_pb.ts'
import type { PageBinding, PageTokens } from '../tenancy/listing.ts'
import { sha256 } from './sha256.ts'

export interface PageTokensOptions {
  /** 32 bytes, the same on every replica. */
  readonly key: Uint8Array
  readonly random: RandomFill
}

const formatVersion = 1
const nonceBytes = 12
const tagBytes = 16
const headBytes = 1 + nonceBytes
const maxTokenCharacters = 4096

export function createPageTokens(options: PageTokensOptions): PageTokens {
  const { key, random } = options
  if (key.length !== 32) throw new Error('the page token key must be 32 bytes')
  return {
    seal: (binding, position) => seal(key, random, binding, position),
    open: (binding, token) => open(key, binding, token),
  }
}

function seal(key: Uint8Array, random: RandomFill, binding: PageBinding, position: readonly string[]): string {
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(formatVersion)
  random(head.subarray(1))
  const cipher = createCipheriv('aes-256-gcm', key, head.subarray(1), { authTagLength: tagBytes })
  cipher.setAAD(boundTo(binding))
  const payload = create(PageTokenSchema, { queryHash: queryHash(binding), position: [...position] })
  const sealed = [cipher.update(toBinary(PageTokenSchema, payload)), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat([head, ...sealed]).toString('base64url')
}

function open(key: Uint8Array, binding: PageBinding, token: string): readonly string[] {
  const bytes = Buffer.from(token.slice(0, maxTokenCharacters), 'base64url')
  // The comparison refuses other spellings of the same bytes: base64 decoders skip what they do not know.
  if (bytes.toString('base64url') !== token || bytes.length < headBytes + tagBytes || bytes[0] !== formatVersion) {
    throw invalidPageToken()
  }
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, headBytes), { authTagLength: tagBytes })
  decipher.setAAD(boundTo(binding))
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes))
  let payload: Uint8Array
  try {
    payload = Buffer.concat([decipher.update(bytes.subarray(headBytes, bytes.length - tagBytes)), decipher.final()])
  } catch (cause) {
    throw invalidPageToken(cause)
  }
  const opened = fromBinary(PageTokenSchema, payload)
  // A token of the same caller for another filter would continue a list that was never begun.
  if (opened.queryHash.length !== 32 || !timingSafeEqual(opened.queryHash, queryHash(binding))) throw invalidPageToken()
  return opened.position
}

/** Authenticated with the token, so that it does not open for another tenant, principal, credential or method. */
function boundTo(binding: PageBinding): Uint8Array {
  return lengthPrefixed(['page-token', binding.tenantId, binding.principal, binding.credential, binding.method])
}

function queryHash(binding: PageBinding): Uint8Array {
  return sha256(lengthPrefixed([binding.principal, binding.credential, binding.method, ...binding.query]))
}

function invalidPageToken(cause?: unknown): TenureError {
  const message = 'The page token is not one for this caller and query. List again from the start.'
  return new TenureError('INVALID_PAGE_TOKEN', message, { cause })
}
