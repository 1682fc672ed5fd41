import { z } from 'zod'
import { type ListenAddress, parseListenAddress } from './listen-address.ts'

/** A type of setting: what the documentation calls it, how text of the environment becomes a raw value, what is accepted. */
export interface SettingType<Value> {
  readonly label: string
  /** Raw values of the environment are text; of YAML they are what YAML says. Both then pass the same schema. */
  readonly fromText: (text: string) => unknown
  /** Its messages continue a sentence that begins with the setting's name. They never repeat a value: it may be a secret. */
  readonly schema: z.ZodType<Value>
}

const maxTextLength = 4096

const asIs = (text: string): unknown => text

function textSchema(): z.ZodString {
  return z
    .string({ error: 'must be text; put it in quotes' })
    .min(1, { error: 'is empty; give it a value or remove it', abort: true })
    .max(maxTextLength, { error: `must have at most ${maxTextLength} characters; shorten it`, abort: true })
    .refine((text) => text === text.trim() && !hasControlCharacter(text), {
      error: 'must not begin or end with a space nor hold control characters; remove them',
      abort: true,
    })
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((character) => character < ' ' || character === '\u007f')
}

export const textType: SettingType<string> = { label: 'text', fromText: asIs, schema: textSchema() }

export const fileType: SettingType<string> = { label: 'path of a file', fromText: asIs, schema: textSchema() }

export function patternType(pattern: RegExp, rule: string): SettingType<string> {
  return { label: rule, fromText: asIs, schema: textSchema().regex(pattern, { error: `must be ${rule}` }) }
}

export function choiceType<const Choice extends string>(choices: readonly Choice[]): SettingType<Choice> {
  const error = `must be one of ${choices.join(', ')}`
  return { label: choices.join(', '), fromText: asIs, schema: z.enum(choices, { error }) }
}

export const booleanType: SettingType<boolean> = {
  label: 'true or false',
  fromText: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  schema: z.boolean({ error: 'must be true or false' }),
}

export function integerType(min: number, max: number): SettingType<number> {
  const error = `must be a whole number from ${min} to ${max}`
  return {
    label: `whole number, ${min} to ${max}`,
    fromText: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
    schema: z.int({ error }).min(min, { error, abort: true }).max(max, { error, abort: true }),
  }
}

/** `parse` answers a sentence that continues the setting's name where it does not accept the text. */
export function parsedType<Value>(label: string, parse: (text: string) => Accepted<Value>): SettingType<Value> {
  const schema = textSchema().transform((text, context) => {
    const result = parse(text)
    if ('value' in result) return result.value
    context.addIssue({ code: 'custom', message: result.problem })
    return z.NEVER
  })
  return { label, fromText: asIs, schema }
}

export type Accepted<Value> = { readonly value: Value } | { readonly problem: string }

export const addressType: SettingType<ListenAddress> = parsedType('host:port', (text) => {
  const value = parseListenAddress(text)
  return value === undefined ? { problem: 'must be host:port, for example 127.0.0.1:7080 or [::1]:0' } : { value }
})
