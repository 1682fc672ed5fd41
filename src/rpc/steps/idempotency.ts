import { createHmac } from 'node:crypto'
import { type DescMessage, type Message, ScalarType, toBinary } from '@bufbuild/protobuf'
import { lengthPrefixed } from '../../base/length-prefixed.ts'
import { sha256 } from '../sha256.ts'
import type { StepFactory } from './step.ts'

/** Makes a repeated write recognisable. Reads that carry a request id only name themselves by it. */
export const idempotencyStep: StepFactory = ({ requestHashKey }, { policy }) => {
  const { input } = policy.method
  const field = input.fields.find((candidate) => candidate.name === 'request_id')
  if (policy.limitClass !== 'WRITE' || field?.fieldKind !== 'scalar' || field.scalar !== ScalarType.STRING)
    return undefined
  const { localName } = field
  return (state) => {
    const { request, caller } = state
    if (request === undefined || caller === undefined) return
    const requestId = (request as unknown as Readonly<Record<string, unknown>>)[localName]
    if (typeof requestId !== 'string' || requestId === '') return
    const idOfRequest = ['idempotency', caller.tenantId, caller.principalId, policy.name, requestId]
    state.idempotency = {
      key: sha256(lengthPrefixed(idOfRequest)),
      requestHash: keyedHash(requestHashKey, canonicalBytes(input, request)),
    }
  }
}

/** Keyed: a request may hold a secret, and who reads its plain hash in the database could try every short one. */
function keyedHash(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(bytes).digest()
}

/** The same message gives the same bytes: some languages write maps in another order each time. Unknown fields do not count. */
export function canonicalBytes(desc: DescMessage, message: Message): Uint8Array {
  sortMaps(desc, message)
  return toBinary(desc, message, { writeUnknownFields: false })
}

type Fields = Record<string, unknown>

/** Only reorders: what the handler reads stays the same. The decoder has bounded the depth. */
function sortMaps(desc: DescMessage, message: Message): void {
  const fields = message as unknown as Fields
  for (const field of desc.fields) {
    const value =
      field.oneof === undefined ? fields[field.localName] : oneofValue(fields[field.oneof.localName], field.localName)
    if (value === undefined || value === null) continue
    if (field.fieldKind === 'map') {
      const entries = Object.entries(value as Fields).sort(([a], [b]) => (a < b ? -1 : 1))
      fields[field.localName] = Object.fromEntries(entries)
      if (field.mapKind === 'message') for (const [, entry] of entries) sortMaps(field.message, entry as Message)
    } else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const item of value as Message[]) sortMaps(field.message, item)
    } else if (field.fieldKind === 'message') {
      sortPlain(field.message, value)
    }
  }
}

/** google.protobuf.Struct is held as a plain JSON object, every other message as itself. */
function sortPlain(desc: DescMessage, value: unknown): void {
  if (desc.typeName === 'google.protobuf.Struct') sortJson(value)
  else sortMaps(desc, value as Message)
}

function sortJson(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const item of value) sortJson(item)
    return
  }
  const object = value as Fields
  for (const key of Object.keys(object).sort()) {
    const item = object[key]
    delete object[key]
    Object.defineProperty(object, key, { value: item, enumerable: true, configurable: true, writable: true })
    sortJson(item)
  }
}

function oneofValue(oneof: unknown, localName: string): unknown {
  const chosen = oneof as { case?: string; value?: unknown } | undefined
  return chosen?.case === localName ? chosen.value : undefined
}
