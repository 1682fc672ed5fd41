import type { DescMethod } from '@bufbuild/protobuf'
import { shapesOf } from './name-shapes.ts'
import { enumValueOf, fieldsOfRequest, type RequestField } from './request-fields.ts'

export type Json = { [key: string]: unknown }

/** The names a request may use: of one tenant, by shape. */
export type NamesByShape = ReadonlyMap<string, readonly string[]>

let made = 0

/** A text that the pattern takes and nothing has yet. Throws for a rule it cannot follow: then the suite is to be mended. */
export function freshText(field: RequestField): string {
  made += 1
  const ids = [`fresh-${made}`, `fresh${made}`, 'v1', '00000000-0000-7000-8000-0000000000aa', 'a']
  const shapes = field.pattern === '' ? ['{}'] : shapesOf(field.pattern).filter((shape) => shape !== '')
  const expression = new RegExp(field.pattern)
  for (const shape of shapes) {
    for (const id of ids) {
      const text = shape.replaceAll('{}', id)
      if (expression.test(text)) return text
    }
  }
  throw new Error(`nothing fits ${field.path.join('.')}: ${field.pattern}`)
}

export interface MakeOptions {
  readonly names: NamesByShape
  /** Shapes to prefer for the field that says where the call acts: the deepest place a key is good for. */
  readonly place: string
}

/**
 * A request that every field rule takes and whose names all stand: what is required, and every field that can name a
 * thing of a tenant, so that a handler gets as far as the one field that is then made wrong.
 */
export function makeRequest(method: DescMethod, options: MakeOptions): Json {
  const request: Json = {}
  const chosen = new Map<string, RequestField>()
  const parent = firstName(method, options)
  for (const field of fieldsOfRequest(method.input)) {
    const oneof = field.desc.oneof
    const group = oneof === undefined ? '' : [...field.path.slice(0, -1), oneof.name].join('.')
    if (group !== '' && chosen.has(group)) continue
    if (!isReachable(field, chosen)) continue
    const value = valueOf(field, options, parent)
    if (value === undefined) continue
    if (group !== '') chosen.set(group, field)
    setAt(request, field, value)
  }
  return request
}

/** A member of a oneof is only there when it was chosen. */
function isReachable(field: RequestField, chosen: ReadonlyMap<string, RequestField>): boolean {
  for (const [group, member] of chosen) {
    const prefix = group.split('.').slice(0, -1)
    const inside = field.path.length > prefix.length && prefix.every((step, at) => field.path[at] === step)
    const sibling = member.desc.oneof?.fields.find((each) => each.jsonName === field.path[prefix.length])
    if (inside && sibling !== undefined && sibling !== member.desc) return false
  }
  return true
}

function firstName(method: DescMethod, { place }: MakeOptions): string {
  const names = ['parent', 'name']
  return method.input.fields.some((field) => names.includes(field.jsonName)) ? place : ''
}

function valueOf(field: RequestField, options: MakeOptions, parent: string): unknown {
  if (field.kind === 'string') {
    const name = ownName(field, options, parent)
    if (name !== undefined && (field.required || mayNameTenant(field))) return name
    return field.required ? freshText(field) : undefined
  }
  if (!field.required) return undefined
  if (field.kind === 'message') return {}
  return field.desc.fieldKind === 'enum' ? enumValueOf(field.desc) : undefined
}

function mayNameTenant({ nameShapes }: RequestField): boolean {
  return nameShapes.some((shape) => shape.startsWith('tenants/'))
}

/** The deepest thing at or under the place. */
function ownName(field: RequestField, { names, place }: MakeOptions, parent: string): string | undefined {
  const shapes = [...field.nameShapes].sort((a, b) => b.split('/').length - a.split('/').length)
  const known = shapes.flatMap((shape) => names.get(shape) ?? []).filter((name) => new RegExp(field.pattern).test(name))
  if (field.path.at(-1) === 'parent' && known.includes(parent)) return parent
  return known.find((name) => name.startsWith(`${place}/`)) ?? known[0]
}

/** Writes a value where the field lies, making the messages and the one-element lists on the way. */
export function setAt(request: Json, field: RequestField, value: unknown): void {
  let at = request
  field.path.forEach((step, index) => {
    const last = index === field.path.length - 1
    const listed = field.inList[index] === true
    if (last) {
      at[step] = listed && !Array.isArray(value) ? [value] : value
      return
    }
    const held = listed ? (at[step] as Json[] | undefined)?.[0] : (at[step] as Json | undefined)
    const next: Json = held ?? {}
    at[step] = listed ? [next] : next
    at = next
  })
}

/** The same request with one field made wrong; other members of its oneof leave. */
export function withField(request: Json, field: RequestField, value: unknown): Json {
  const copy = structuredClone(request)
  removeSiblings(copy, field)
  setAt(copy, field, value)
  return copy
}

/** At every level: a nested field may lie under a member that was not chosen. */
function removeSiblings(request: Json, field: RequestField): void {
  let at: Json | undefined = request
  let desc = field.desc.parent
  const messages = [desc]
  for (let level = field.path.length - 2; level >= 0; level -= 1) messages.unshift(desc)
  for (const [index, step] of field.path.entries()) {
    if (at === undefined) return
    desc = index === field.path.length - 1 ? field.desc.parent : (descAt(field, index) ?? field.desc.parent)
    const own = desc.fields.find((each) => each.jsonName === step)
    for (const sibling of own?.oneof?.fields ?? []) if (sibling !== own) delete at[sibling.jsonName]
    const next: unknown = field.inList[index] === true ? (at[step] as Json[] | undefined)?.[0] : at[step]
    at = typeof next === 'object' && next !== null ? (next as Json) : undefined
  }
}

function descAt(field: RequestField, index: number) {
  return field.owners?.[index]
}

export function without(request: Json, field: RequestField): Json {
  const copy = structuredClone(request)
  let at: Json | undefined = copy
  for (const [index, step] of field.path.slice(0, -1).entries()) {
    const next: unknown = field.inList[index] === true ? (at?.[step] as Json[] | undefined)?.[0] : at?.[step]
    at = next as Json | undefined
  }
  if (at !== undefined) delete at[field.path.at(-1) ?? '']
  return copy
}
