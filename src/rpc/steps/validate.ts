import type { DescMessage, Message } from '@bufbuild/protobuf'
import { type Path, pathToString } from '@bufbuild/protobuf/reflect'
import { type FieldViolation, TenureError } from '../../base/errors.ts'
import type { BuiltinRule } from '../builtin-policies.ts'
import { ruleInWords } from '../rule-in-words.ts'
import type { StepFactory } from './step.ts'

const maxViolations = 50

/** Checks the rules that the proto states beside each field. */
export const validateStep: StepFactory = (parts, { policy }) => {
  const { validator } = parts
  const { input } = policy.method
  const rules = Object.entries(policy.rules)
  return (state) => {
    if (state.request === undefined) throw new Error('validate comes after decode')
    if (rules.length > 0) checkRules(rules, input, state.request)
    const result = validator.validate(input, state.request)
    if (result.kind === 'valid') return
    if (result.kind === 'error') throw result.error
    const { request } = state
    throw invalidFields(result.violations.slice(0, maxViolations).map((violation) => violationOf(violation, request)))
  }
}

/** What protovalidate cannot check, because the message is somebody else's. */
function checkRules(rules: readonly [string, BuiltinRule][], input: DescMessage, request: Message): void {
  const violations = rules.flatMap(([field, { pattern, maxBytes, description }]) => {
    const desc = input.fields.find(({ name }) => name === field)
    const value = (request as unknown as Readonly<Record<string, unknown>>)[desc?.localName ?? '']
    const held = typeof value === 'string' && Buffer.byteLength(value) <= maxBytes && pattern.test(value)
    return held ? [] : [{ field, description }]
  })
  if (violations.length > 0) throw invalidFields(violations)
}

function violationOf(violation: { field: Path; message: string }, request: Message): FieldViolation {
  const last = violation.field.at(-1)
  const values = last?.kind === 'field' && last.fieldKind === 'enum' ? last.enum.value : undefined
  const nameOf = values === undefined ? undefined : (number: number) => values[number]?.name ?? String(number)
  const description = ruleInWords(violation.message, topLevelValue(violation.field, request), nameOf)
  return { field: pathToString(violation.field), description }
}

/** Only to tell an empty field from a wrong one; deeper values are told as wrong. */
function topLevelValue(path: Path, request: Message): unknown {
  const [field, ...deeper] = path
  if (field?.kind !== 'field' || deeper.length > 0) return undefined
  return (request as unknown as Readonly<Record<string, unknown>>)[field.localName]
}

function invalidFields(fieldViolations: readonly FieldViolation[]): TenureError {
  const first = fieldViolations[0]
  const more = fieldViolations.length > 1 ? ` (and ${fieldViolations.length - 1} more)` : ''
  const message = first === undefined ? 'a field breaks its rule' : `${first.field}: ${first.description}${more}`
  return new TenureError('INVALID_FIELD', message, { fieldViolations })
}
