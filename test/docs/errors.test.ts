import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { canonicalCode, codeOfReason } from '../../src/base/errors.ts'
import { Code } from '../../src/gen/google/rpc/code_pb.ts'
import { ErrorReason, ErrorReasonSchema } from '../../src/gen/tenure/v1/error_reason_pb.ts'
import { errorsPage, readReasons } from './errors-page.ts'

const page = new URL('../../docs/errors.md', import.meta.url)
const stated = readReasons(readFileSync(new URL('../../proto/tenure/v1/error_reason.proto', import.meta.url), 'utf8'))

test('the enum of the proto and the table of the code list the same reasons', () => {
  const answered = ErrorReasonSchema.values.filter(({ number }) => number !== ErrorReason.UNSPECIFIED)
  expect(answered.map(({ localName }) => localName).sort()).toEqual(Object.keys(codeOfReason).sort())
})

test('the code that the comment of a reason states is the code it is answered with', () => {
  expect(Object.fromEntries(stated.map(({ reason, code }) => [reason, code]))).toEqual(codeOfReason)
})

test('every reason says what happened or what to do', () => {
  expect(stated.filter(({ advice }) => !/^\S.*\.$/.test(advice))).toEqual([])
})

test('the codes have the numbers that gRPC gives them', () => {
  for (const [code, number] of Object.entries(canonicalCode)) {
    expect({ code, number }).toEqual({ code, number: Code[code as keyof typeof Code] })
  }
})

test('docs/errors.md is what the proto and the error mapping say; UPDATE_DOCS=1 rewrites it', () => {
  const expected = errorsPage(stated)
  if (process.env.UPDATE_DOCS === '1') writeFileSync(page, expected)
  expect(readFileSync(page, 'utf8')).toBe(expected)
})
