import { readFileSync } from 'node:fs'
import { type DescMethodUnary, fromJsonString, toJsonString } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { StartError } from '../base/start-error.ts'
import { httpUrlOf } from '../config/listen-address.ts'
import { loadProcessConfig } from '../config/process-config.ts'
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts'
import { packedRegistry } from '../rpc/packed-messages.ts'
import { tenureServices } from '../rpc/services.ts'
import { readApiKey } from './api-key-file.ts'

export interface CallOptions {
  readonly address?: string
  readonly keyFile?: string
}

/** Calls one RPC and prints its answer as JSON; a failure goes to standard error with its reason, and answers 1. */
export async function callCommand(name: string, json: string, options: CallOptions): Promise<number> {
  const config = loadProcessConfig()
  const method = methodNamed(name)
  const baseUrl = options.address ?? httpUrlOf(config.httpAddress)
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: '1.1',
    useBinaryFormat: true,
  })
  const headers = { authorization: `Bearer ${readApiKey(options.keyFile ?? config.rootKeyFile)}` }
  try {
    const answer = await transport.unary(method, undefined, 30_000, headers, requestFrom(method, json))
    process.stdout.write(
      `${toJsonString(method.output, answer.message, { prettySpaces: 2, useProtoFieldName: true, registry: packedRegistry })}\n`,
    )
    return 0
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error
    process.stderr.write(failureText(error, baseUrl))
    return 1
  }
}

function failureText(error: ConnectError, baseUrl: string): string {
  if (/ECONNREFUSED|ENOTFOUND|EHOSTUNREACH/.test(error.rawMessage)) {
    return `No server answers at ${baseUrl}. Start one with tenure serve, or set --address or TENURE_HTTP_ADDRESS.\n`
  }
  const reason = error.findDetails(ErrorInfoSchema)[0]?.reason
  const violations = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations)
  const lines = violations.map(({ field, description }) => `  ${field}: ${description}\n`)
  const title = `${Code[error.code]}${reason === undefined ? '' : ` (${reason})`}`
  return lines.length > 0 ? `${title}\n${lines.join('')}` : `${title}: ${error.rawMessage}\n`
}

function methodNamed(name: string): DescMethodUnary {
  const [serviceName = '', methodName = ''] = name.split('/')
  const service = tenureServices.find(({ typeName, name: short }) => typeName === serviceName || short === serviceName)
  const method = service?.methods.find((each) => each.name === methodName)
  if (method?.methodKind === 'unary') return method as DescMethodUnary
  const known =
    service === undefined ? tenureServices.map((each) => each.name) : service.methods.map((each) => each.name)
  throw new StartError(`There is no ${JSON.stringify(name)}. There are ${known.join(', ')}.`)
}

function requestFrom(method: DescMethodUnary, json: string) {
  try {
    return fromJsonString(method.input, json === '-' ? readFileSync(0, 'utf8') : json)
  } catch (error) {
    throw new StartError(
      `The request is not a ${method.input.name}: ${error instanceof Error ? error.message : String(error)}.`,
    )
  }
}
