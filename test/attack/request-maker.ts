import { type DescField, type DescMethod, ScalarType } from '@bufbuild/protobuf'
import { shapesOf } from './name-shapes.ts'
import { enumValueOf, fieldsOfRequest, isNumber, numberValueOf, type RequestField } from './request-fields.ts'

export type Json = { [key: string]: unknown }

/** Names that stand, by shape. */
export type NamesByShape = ReadonlyMap<string, readonly string[]>

let made = 0

/** A text that the pattern takes and nothing has yet. Throws for a rule it cannot follow: then the suite is to be mended. */
function freshText(field: RequestField): string {
  made += 1
  const ids = [`fresh-${made}`, `fresh${made}`, 'v1', '00000000-0000-7000-8000-0000000000aa', 'a', '7', 'a'.repeat(64)]
  const shapes = field.pattern === '' ? ['{}'] : shapesOf(field.pattern).filter((shape) => shape !== '')
  const expression = new RegExp(field.pattern)
  const texts = shapes.flatMap((shape) => ids.map((id) => shape.replaceAll('{}', id)))
  const fitting = texts.find((text) => expression.test(text))
  if (fitting === undefined) throw new Error(`nothing fits ${field.path}: ${field.pattern}`)
  return fitting
}

interface MakeOptions {
  readonly names: NamesByShape
  /** Where the call is to act if the method can act there: the place a key is good for. */
  readonly place: string
}

/**
 * A request that every field rule takes and whose names all stand: what is required, and every field that can name a
 * thing of a tenant, so that a handler gets as far as the one field that is then made wrong.
 */
export function makeRequest(method: DescMethod, options: MakeOptions): Json {
  const request: Json = {}
  const chosen = new Map<string, DescField>()
  for (const field of fieldsOfRequest(method.input)) {
    const oneofs = oneofsOf(field)
    if (oneofs.some(([key, member]) => (chosen.get(key) ?? member) !== member)) continue
    const value = valueFor(field, options)
    if (value === undefined) continue
    for (const [key, member] of oneofs) chosen.set(key, member)
    setAt(request, field, value)
  }
  return request
}

/** Each oneof on the way to the field, with the member the way goes through. */
function oneofsOf({ chain }: RequestField): [string, DescField][] {
  return chain.flatMap((step, index) => {
    if (step.oneof === undefined) return []
    const above = chain.slice(0, index).map(({ name }) => name)
    return [[[...above, step.oneof.name].join('.'), step] as [string, DescField]]
  })
}

function valueFor(field: RequestField, options: MakeOptions): unknown {
  if (field.kind === 'string') {
    const name = field.required || mayNameTenant(field) ? ownName(field, options) : undefined
    return name ?? (field.required ? freshText(field) : undefined)
  }
  if (!field.required) return undefined
  if (field.kind === 'message') return {}
  if (isBytes(field.desc)) return Buffer.from('value').toString('base64')
  if (isNumber(field.desc)) return numberValueOf(field.desc)
  return field.desc.fieldKind === 'enum' ? enumValueOf(field.desc) : undefined
}

function isBytes(desc: DescField): boolean {
  return desc.fieldKind === 'scalar' && desc.scalar === ScalarType.BYTES
}

function mayNameTenant({ nameShapes }: RequestField): boolean {
  return nameShapes.some((shape) => shape.startsWith('tenants/'))
}

/** The place itself where the field takes it, else a thing right in it, else anything of the tenant. */
function ownName(field: RequestField, { names, place }: MakeOptions): string | undefined {
  const expression = new RegExp(field.pattern)
  const known = field.nameShapes.flatMap((shape) => names.get(shape) ?? []).filter((name) => expression.test(name))
  const depth = place.split('/').length + 2
  const right = known.find((name) => name.startsWith(`${place}/`) && name.split('/').length === depth)
  return known.find((name) => name === place) ?? right ?? known[0]
}

/** Writes a value where the field lies, making the messages and one-element lists on the way; other members of a oneof leave. */
function setAt(request: Json, { chain }: RequestField, value: unknown): void {
  let at = request
  for (const [index, step] of chain.entries()) {
    for (const sibling of step.oneof?.fields ?? []) if (sibling !== step) delete at[sibling.jsonName]
    const listed = step.fieldKind === 'list'
    if (index === chain.length - 1) {
      at[step.jsonName] = listed && !Array.isArray(value) ? [value] : value
      return
    }
    const held = at[step.jsonName]
    const found = (Array.isArray(held) ? held[0] : held) as Json | undefined
    const next = typeof found === 'object' && found !== null ? found : {}
    at[step.jsonName] = listed ? [next] : next
    at = next
  }
}

/** The same request with one field made wrong. */
export function withField(request: Json, field: RequestField, value: unknown): Json {
  const copy = structuredClone(request)
  setAt(copy, field, value)
  return copy
}
