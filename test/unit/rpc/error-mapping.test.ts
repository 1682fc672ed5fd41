import { createRegistry, fromBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { codeOfReason, type ErrorReason, TenureError } from '../../../src/base/errors.ts'
import { ErrorInfoSchema, file_google_rpc_error_details } from '../../../src/gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../../../src/gen/google/rpc/status_pb.ts'
import { ErrorReasonSchema } from '../../../src/gen/tenure/v1/error_reason_pb.ts'
import { failureOf, toStatus } from '../../../src/rpc/error-mapping.ts'

const registry = createRegistry(file_google_rpc_error_details)
const reasons = Object.keys(codeOfReason) as ErrorReason[]

test('the reasons of the code are those of the proto', () => {
  const declared = ErrorReasonSchema.values.map((value) => value.name.replace('ERROR_REASON_', ''))
  expect([...reasons].sort()).toEqual(declared.filter((name) => name !== 'UNSPECIFIED').sort())
})

test('every failure carries ErrorInfo with its reason and our domain', () => {
  for (const reason of reasons) {
    const status = fromBinary(StatusSchema, toStatus(failureOf(new TenureError(reason, 'x'), 'r')))
    const first = status.details[0]
    const info = first === undefined ? undefined : anyUnpack(first, ErrorInfoSchema)
    expect(info).toMatchObject({ reason, domain: 'tenure' })
  }
})

test('the status stays under 6 KiB of details and 1 KiB of message, whatever a failure holds', () => {
  const long = `${'é'.repeat(40_000)}\ud800`
  const metadata = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`key${index}`, long]))
  const fieldViolations = Array.from({ length: 5_000 }, () => ({ field: long, description: long }))
  const failures = [
    new TenureError('INVALID_FIELD', long, { metadata, fieldViolations, retryAfterMs: 10 }),
    new TenureError('NOT_FOUND', 'short \ud800'),
    new TenureError('INVALID_STATE', long, { metadata: { subject: long, state: long }, fieldViolations }),
    new TenureError('OVERLOADED', long, { metadata, retryAfterMs: 1_234 }),
  ]
  for (const error of failures) {
    const failure = failureOf(error, 'r')
    expect(Buffer.byteLength(failure.message)).toBeLessThanOrEqual(1024)
    expect(failure.message.isWellFormed()).toBe(true)
    expect(() => encodeURIComponent(failure.message)).not.toThrow()
    expect(toStatus(failure).length).toBeLessThanOrEqual(7 * 1024)
    for (const detail of fromBinary(StatusSchema, toStatus(failure)).details)
      expect(anyUnpack(detail, registry)).toBeDefined()
  }
})

test('what nobody foresaw says one sentence and the request id, and nothing of its own', () => {
  for (const thrown of [
    new Error('password hunter2'),
    'hunter2',
    undefined,
    null,
    { code: 5 },
    new TenureError('INTERNAL', 'hunter2'),
  ]) {
    const failure = failureOf(thrown, 'req-9')
    expect(failure.code).toBe('INTERNAL')
    expect(failure.message).toBe('Something is broken on our side. Ask about request req-9.')
    expect(Buffer.from(toStatus(failure)).toString('latin1')).not.toContain('hunter2')
  }
})
