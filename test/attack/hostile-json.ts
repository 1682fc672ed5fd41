import { hasOption } from '@bufbuild/protobuf'
import { field as fieldRules } from '../../src/gen/buf/validate/validate_pb.ts'
import type { RequestField } from './request-fields.ts'
import { type Json, withField } from './request-maker.ts'

/** A body, and what is wrong with it. */
export interface HostileBody {
  readonly name: string
  readonly body: string | Uint8Array<ArrayBuffer>
  /** Whatever the method: this is to be refused. */
  readonly refused: boolean
}

/** Written as JSON text, so that escapes go over the wire as they are. */
const stringTexts: Readonly<Record<string, string>> = {
  nul: '"a\\u0000b"',
  control: '"a\\u0001\\u001f\\u007f\\r\\nb"',
  'lone high surrogate': '"a\\ud800b"',
  'lone low surrogate': '"\\udfff"',
  'right to left': '"\\u202eevil\\u202c"',
  emoji: '"\\ud83c\\udf88\\ud83d\\udc69\\u200d\\ud83d\\udc67"',
  sql: `"x' OR '1'='1'; DROP TABLE users; --"`,
  'sql comment': '"x/**/UNION/**/SELECT secret_hash FROM api_keys#"',
  like: '"%_\\\\%"',
  'json path': '"$[*].secret\\") OR 1=1"',
  format: '"{{7*7}}#{7*7}%s%n"',
  path: '"../../../../etc/passwd"',
  spaces: '"   "',
  empty: '""',
}

const wrongForText: Readonly<Record<string, string>> = {
  object: '{"a":1}',
  array: '[[1]]',
  negative: '-1',
  'nothing at all': 'null',
}

const wrongTypes: Readonly<Record<string, string>> = {
  object: '{"a":1}',
  array: '[[1]]',
  fraction: '12.5',
  'huge number': '1e400',
  'int64 over the edge': '"9223372036854775808"',
  true: 'true',
  'nested null': '[null]',
  negative: '-1',
  'nothing at all': 'null',
  'number as text': '"0x1f"',
  'unknown enum': '99',
  'unknown enum name': '"NOT_A_VALUE"',
}

const orderings: readonly string[] = [
  `display_name' OR '1'='1`,
  'secret_hash',
  '__proto__',
  'constructor desc',
  'name; DROP TABLE users',
  'name desc desc',
  ',,',
  'create_time desc, (SELECT 1)',
]

const filters: readonly string[] = [
  'name',
  'name =',
  '= "x"',
  `name = 'x' OR 1=1 --`,
  'secret_hash = "x"',
  '__proto__ = "x"',
  'constructor = "x"',
  `${'('.repeat(500)}`,
  `${'NOT '.repeat(400)}name = "x"`,
  Array.from({ length: 200 }, () => 'create_time > "2026-01-01"').join(' OR '),
  'create_time > "not a time"',
  'create_time > "2026-01-01T00:00:00Z" AND',
  'create_time > "+275760-09-13"',
  'name = "unterminated',
  'name ~ "x"',
  'a.b.c = "x"',
  'name = "\\\\"',
]

/** Whole bodies that are not the message of any method. */
export function hostileBodies(request: Json): HostileBody[] {
  const text = JSON.stringify(request)
  const inside = text.slice(1, -1)
  const first = Object.entries(request)[0]
  const twice =
    first === undefined ? '"x":1,"x":2' : `${JSON.stringify({ [first[0]]: first[1] }).slice(1, -1)},${inside}`
  const and = (extra: string) => `{${extra}${inside === '' ? '' : ','}${inside}}`
  const bodies: Omit<HostileBody, 'refused'>[] = [
    ...['', '{}', 'null', '[]', '"x"', '1', '{', '{"a":', `${text}${text}`, `${text},`].map((body) => ({
      name: `body ${body.slice(0, 9)}`,
      body,
    })),
    ...['nothingLikeThis', '__proto__', 'constructor', 'toString', '$typeName', ''].flatMap((field) => [
      { name: `unknown field ${field}`, body: and(`"${field}":{"polluted":true}`) },
      { name: `unknown field ${field} null`, body: and(`"${field}":null`) },
    ]),
    { name: 'duplicate field', body: `{${twice}}` },
    { name: 'deep nesting', body: and(`"deep":${'{"a":'.repeat(1_000)}1${'}'.repeat(1_000)}`) },
    { name: 'deep arrays', body: and(`"deep":${'['.repeat(100_000)}`) },
    { name: 'invalid utf-8', body: new Uint8Array(Buffer.from(and('"x":"\xff\xfe"'), 'latin1')) },
    { name: 'over the cap', body: and(`"x":"${'y'.repeat(1_100_000)}"`) },
  ]
  return bodies.map((each) => ({ ...each, refused: each.body !== '' && each.body !== '{}' }))
}

const marker = '"\uf8ff"'

/** The request with one field written as the given JSON text. */
function written(request: Json, field: RequestField, text: string): string {
  return JSON.stringify(withField(request, field, '\uf8ff')).replace(marker, () => text)
}

export function hostileFields(request: Json, field: RequestField): HostileBody[] {
  const { name } = field.desc
  const bodies = Object.entries(field.kind === 'string' ? wrongForText : wrongTypes).map(([kind, text]) => ({
    kind,
    text,
  }))
  if (field.kind === 'string') {
    for (const [kind, text] of Object.entries(stringTexts)) bodies.push({ kind, text })
    bodies.push({ kind: 'megabyte', text: `"${'m'.repeat(1_000_000)}"` })
  }
  if (field.desc.fieldKind === 'map') {
    for (const key of ['__proto__', 'constructor', '', 'a\\u0000', 'A B', 'k'.repeat(5_000)]) {
      bodies.push(
        { kind: `key ${key.slice(0, 12)}`, text: `{"${key}":"v"}` },
        { kind: 'value', text: `{"k":"${key} ✗"}` },
      )
    }
    const many = Array.from({ length: 10_000 }, (_, at) => `"k${at}":"v"`)
    bodies.push({ kind: 'ten thousand pairs', text: `{${many.join(',')}}` })
  }
  if (field.desc.fieldKind === 'list') {
    const item = field.kind === 'string' ? '"x"' : '{}'
    bodies.push({ kind: 'ten thousand', text: `[${Array(10_000).fill(item).join(',')}]` })
  }
  if (field.desc.fieldKind === 'message') bodies.push(...messageTexts(field.desc.message.typeName))
  if (name === 'filter')
    bodies.push(...filters.map((text) => ({ kind: `filter ${text.slice(0, 30)}`, text: JSON.stringify(text) })))
  if (name === 'order_by')
    bodies.push(...orderings.map((text) => ({ kind: `order ${text}`, text: JSON.stringify(text) })))
  if (name === 'page_size')
    bodies.push(...['-1', '-2147483648', '2147483647', '2147483648'].map((text) => ({ kind: text, text })))
  return bodies.map(({ kind, text }) => ({
    name: `${field.path}: ${kind}`,
    body: written(request, field, text),
    refused: isRefused(field, kind),
  }))
}

function messageTexts(typeName: string): { kind: string; text: string }[] {
  const texts =
    typeName === 'google.protobuf.FieldMask'
      ? [
          'name',
          'uid',
          '*,name',
          '__proto__',
          'constructor',
          'a.b.c',
          'displayName,displayName',
          'owner',
          "x' OR 1",
          ',,',
        ]
      : typeName === 'google.protobuf.Timestamp'
        ? [
            '0001-01-01T00:00:00Z',
            '9999-12-31T23:59:59.999999999Z',
            '10000-01-01T00:00:00Z',
            '2026-02-30T00:00:00Z',
            'now',
          ]
        : typeName === 'google.protobuf.Duration'
          ? ['-1s', '-0.000000001s', '0s', '315576000001s', '1.0000000001s', '1h', '1']
          : []
  return texts.map((text) => ({ kind: text, text: JSON.stringify(text) }))
}

function isRefused(field: RequestField, kind: string): boolean {
  if (kind.startsWith('lone')) return true
  // No time to live, or none any more.
  if (field.desc.name === 'ttl' && /^(?:-|0s)/.test(kind)) return true
  // What only the server writes has no rule, and is not read.
  if (kind === 'megabyte') return hasOption(field.desc, fieldRules)
  // A pattern that leaves control characters in would let a name forge a line of a log.
  if (field.pattern !== '' && /^(?:nul|control)$/.test(kind)) return true
  return field.desc.name === 'page_size' && kind.startsWith('-')
}
