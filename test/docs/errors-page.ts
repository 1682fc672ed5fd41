import { type JsonValue, toJson } from '@bufbuild/protobuf'
import { canonicalCode, codeOfReason, type ErrorReason } from '../../src/base/errors.ts'
import { failureOf } from '../../src/rpc/error-mapping.ts'
import { exampleOf } from './error-examples.ts'

/** One value of the enum as the proto file states it. */
export interface StatedReason {
  readonly reason: string
  readonly code: string
  readonly advice: string
}

/** Reads the values of `ErrorReason` with their comments: `CODE. What happened and what to do.` */
export function readReasons(proto: string): readonly StatedReason[] {
  const body = /enum ErrorReason \{([\s\S]*?)\n\}/.exec(proto)?.[1] ?? ''
  const values = body.matchAll(/((?:^ *\/\/.*\n)+) *ERROR_REASON_([A-Z_]+) = [1-9]\d*;/gm)
  return [...values].map(([, comment = '', reason = '']) => {
    const text = comment
      .replaceAll(/^ *\/\/ ?/gm, '')
      .replaceAll('\n', ' ')
      .trim()
    const [, code = '', advice = ''] = /^([A-Z_]+)\. (.*)$/.exec(text) ?? []
    return { reason, code, advice }
  })
}

function isReason(text: string): text is ErrorReason {
  return Object.hasOwn(codeOfReason, text)
}

const intro = `# Errors

Every failure carries a canonical gRPC code, a sentence for people, and a \`google.rpc.ErrorInfo\` with a reason from the closed list
below: \`domain\` is \`tenure\`, \`metadata\` holds facts for machines. Write programs against the reason; codes group, and sentences may
change. \`BadRequest\` names broken fields, \`PreconditionFailure\` what stands in the way, \`RetryInfo\` when to come back. In gRPC the
details travel in the trailer \`grpc-status-details-bin\`, in Connect and JSON in \`details\` of the error.

Missing and foreign are one failure: a name of another tenant answers NOT_FOUND like a name that never was, to the byte.
INTERNAL always says the same sentence and the request id; the cause is in the log of the server under that id.

This page is generated from \`proto/tenure/v1/error_reason.proto\` and the error mapping of the server:
\`UPDATE_DOCS=1 scripts/node node_modules/vitest/vitest.mjs run test/docs\` rewrites it.
`

export function errorsPage(reasons: readonly StatedReason[]): string {
  const rows = reasons.map(
    ({ reason, code, advice }) => `| [\`${reason}\`](#${reason.toLowerCase()}) | ${code} | ${advice} |`,
  )
  return [
    intro,
    '| Reason | Code | What it means and what to do |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '## Example payloads',
    '',
    'The details of one failure of each reason, as JSON shows them.',
    '',
    ...reasons.flatMap(section),
  ].join('\n')
}

function section({ reason, code, advice }: StatedReason): readonly string[] {
  if (!isReason(reason)) throw new Error(`${reason} is not in the table codeOfReason`)
  const number = canonicalCode[codeOfReason[reason]]
  return [`### ${reason}`, '', `${code} (${number}). ${advice}`, '', '```json', exampleJson(reason, advice), '```', '']
}

function exampleJson(reason: ErrorReason, advice: string): string {
  const { details } = failureOf(exampleOf(reason, advice), '01890a5d-ac96-774b-bcce-b302099a8057')
  const lines = details.map(({ desc, value }) => {
    const fields = toJson(desc, value) as Record<string, JsonValue>
    return JSON.stringify({ '@type': `type.googleapis.com/${desc.typeName}`, ...fields })
  })
  return `[\n${lines.map((line) => `  ${line}`).join(',\n')}\n]`
}
