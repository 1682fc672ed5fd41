import { type DescMethod, getOption } from '@bufbuild/protobuf'
import { MethodPolicy_Scope, method_policy } from '../../src/gen/tenure/v1/method_policy_pb.ts'
import { tenureServices } from '../../src/rpc/services.ts'

/** Every one that asks for a credential. */
export const everyMethod: readonly DescMethod[] = tenureServices
  .flatMap(({ methods }) => methods)
  .filter((method) => !getOption(method, method_policy).scopes.includes(MethodPolicy_Scope.PUBLIC))

export function methodName(method: DescMethod): string {
  return `${method.parent.typeName.replace('tenure.v1.', '')}/${method.name}`
}

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number
  /** Connect's name of the code; `ok`. */
  readonly code: string
  readonly reason: string
  readonly message: string
  readonly body: string
  /** Everything a caller can tell two answers apart by, but for what names the call itself. */
  readonly seen: string
}

interface ErrorJson {
  readonly code?: string
  readonly message?: string
  readonly details?: readonly { readonly type: string; readonly value: string; readonly debug?: { reason?: string } }[]
}

const ofTheCall: ReadonlySet<string> = new Set(['date', 'tenure-request-id', 'x-request-id'])

/** Connect with a JSON body, exactly as given. */
export async function callJson(
  httpUrl: string,
  method: DescMethod,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const response = await fetch(`${httpUrl}/${method.parent.typeName}/${method.name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  const text = await response.text()
  const kept = [...response.headers].filter(([name]) => !ofTheCall.has(name)).sort()
  const seen = JSON.stringify([response.status, kept, text])
  if (response.status === 200) return { status: 200, code: 'ok', reason: '', message: '', body: text, seen }
  const error = parseError(text)
  const info = error.details?.find(({ type }) => type === 'google.rpc.ErrorInfo')
  return {
    status: response.status,
    code: error.code ?? `http ${response.status}`,
    reason: info === undefined ? '' : reasonOf(info.value),
    message: error.message ?? '',
    body: text,
    seen,
  }
}

function parseError(text: string): ErrorJson {
  try {
    return JSON.parse(text) as ErrorJson
  } catch {
    return {}
  }
}

/** Field 1 of ErrorInfo, read by hand: the suite must not trust the code under test to read it. */
function reasonOf(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  return bytes[0] === 0x0a ? bytes.subarray(2, 2 + (bytes[1] ?? 0)).toString('utf8') : ''
}

export function bearer(key: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${key}` }
}
