import { create, type DescField, type DescMessage, getOption, ScalarType } from '@bufbuild/protobuf'
import { createValidator } from '@bufbuild/protovalidate'
import { type FieldRules, field as fieldRules, oneof as oneofRules } from '../../src/gen/buf/validate/validate_pb.ts'
import { builtinPolicies, fullMethodName } from '../../src/rpc/builtin-policies.ts'
import { tenureServices } from '../../src/rpc/services.ts'
import { shapeOfName, shapesOf } from './name-shapes.ts'

/** One field of a request, however deep it lies. */
export interface RequestField {
  /** The fields from the request down to this one. */
  readonly chain: readonly DescField[]
  readonly desc: DescField
  /** Proto names, with dots. */
  readonly path: string
  readonly kind: 'string' | 'message' | 'other'
  readonly pattern: string
  /** Forms with a slash in them: the field names things. Empty: it does not, or any text will do. */
  readonly nameShapes: readonly string[]
  readonly required: boolean
}

/** Well-known types write themselves as one JSON value. */
const leaves = /^google\.protobuf\./

const known = new WeakMap<DescMessage, readonly RequestField[]>()

/** Every field of a request, oneofs, lists and nested messages included. */
export function fieldsOfRequest(desc: DescMessage): readonly RequestField[] {
  const fields = known.get(desc) ?? collect(desc, [], new Set())
  known.set(desc, fields)
  return fields
}

function collect(desc: DescMessage, above: readonly DescField[], types: ReadonlySet<string>): RequestField[] {
  const found: RequestField[] = []
  for (const each of desc.fields) {
    const chain = [...above, each]
    found.push(describeField(chain, each))
    const nested = messageOf(each)
    if (nested === undefined || leaves.test(nested.typeName) || types.has(nested.typeName)) continue
    found.push(...collect(nested, chain, new Set([...types, nested.typeName])))
  }
  return found
}

function describeField(chain: readonly DescField[], desc: DescField): RequestField {
  const rules = getOption(desc, fieldRules)
  const text = isString(desc)
  const pattern = text ? patternOf(rules) || builtinPatternOf(desc) : ''
  // An alias stands where an id stands: `versions/latest` names what `versions/3` names.
  const shapes = shapesOf(pattern).filter((shape) => shape.includes('/'))
  const nameShapes = [...new Set(shapes.map(shapeOfName))]
  const kind = text ? 'string' : messageOf(desc) === undefined ? 'other' : 'message'
  const path = chain.map(({ name }) => name).join('.')
  return { chain, desc, path, kind, pattern, nameShapes, required: isRequired(desc, rules, pattern) }
}

function isString(desc: DescField): boolean {
  if (desc.fieldKind === 'scalar') return desc.scalar === ScalarType.STRING
  return desc.fieldKind === 'list' && desc.listKind === 'scalar' && desc.scalar === ScalarType.STRING
}

function messageOf(desc: DescField): DescMessage | undefined {
  if (desc.fieldKind === 'message') return desc.message
  return desc.fieldKind === 'list' && desc.listKind === 'message' ? desc.message : undefined
}

function patternOf({ type }: FieldRules): string {
  if (type.case === 'string') return type.value.pattern
  if (type.case === 'repeated' && type.value.items?.type.case === 'string') return type.value.items.type.value.pattern
  return ''
}

/** Of a message that is defined elsewhere: its rules stand in the table of its methods. */
function builtinPatternOf(desc: DescField): string {
  const method = tenureServices
    .flatMap(({ methods }) => methods)
    .find(({ input }) => input.typeName === desc.parent.typeName)
  const rule = method === undefined ? undefined : builtinPolicies.get(fullMethodName(method))?.rules[desc.name]
  return rule === undefined || rule.pattern.source === '^' ? '' : rule.pattern.source.replaceAll('\\/', '/')
}

function isRequired(desc: DescField, rules: FieldRules, pattern: string): boolean {
  const { type } = rules
  if (desc.oneof !== undefined) return desc.oneof.fields[0] === desc && getOption(desc.oneof, oneofRules).required
  if (rules.required || (type.case === 'repeated' && type.value.minItems > 0n)) return true
  if ((type.case === 'string' || type.case === 'bytes') && type.value.minLen > 0n) return true
  if (desc.fieldKind === 'enum' || isNumber(desc)) return !isTaken(desc, 0)
  return desc.fieldKind === 'scalar' && pattern !== '' && !new RegExp(pattern).test('')
}

const validator = createValidator()

const longNumbers: readonly ScalarType[] = [
  ...[ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64],
]

/** Whatever kind of rule the field has, the validator knows what it takes. */
function isTaken(desc: DescField, value: number): boolean {
  const isLong = desc.fieldKind === 'scalar' && longNumbers.includes(desc.scalar)
  const held = isLong ? BigInt(value) : value
  const result = validator.validate(desc.parent, create(desc.parent, { [desc.localName]: held } as never))
  return result.kind === 'valid' || !result.violations?.some(({ field }) => field[0] === desc)
}

const numbers: ReadonlySet<ScalarType> = new Set([
  ...[ScalarType.DOUBLE, ScalarType.FLOAT, ScalarType.INT32, ScalarType.UINT32, ScalarType.SINT32],
  ...[ScalarType.FIXED32, ScalarType.SFIXED32, ...longNumbers],
])

export function isNumber(desc: DescField): boolean {
  return desc.fieldKind === 'scalar' && numbers.has(desc.scalar)
}

/** The first number that the field's rule takes. */
export function numberValueOf(desc: DescField): number {
  return [1, 60, 1_000].find((value) => isTaken(desc, value)) ?? 1
}

/** The first value that the field's rule takes and that says something. */
export function enumValueOf(desc: DescField): number {
  const values = desc.fieldKind === 'enum' ? desc.enum.values.map(({ number }) => number) : []
  return values.find((value) => value !== 0 && isTaken(desc, value)) ?? 1
}
