import { create, type DescService, type Message, type MessageInitShape } from '@bufbuild/protobuf'
import { canonicalCode } from '../base/errors.ts'
import {
  type ServerReflectionRequest,
  ServerReflectionResponseSchema,
  ServerReflection as V1,
} from '../gen/grpc/reflection/v1/reflection_pb.ts'
import {
  ServerReflectionResponseSchema as ServerReflectionResponseV1AlphaSchema,
  ServerReflection as V1Alpha,
} from '../gen/grpc/reflection/v1alpha/reflection_pb.ts'
import { createDescriptorIndex, type DescriptorIndex } from './descriptor-index.ts'
import type { StreamMethod } from './stream.ts'

/**
 * `grpc.reflection` v1 and v1alpha, which differ in nothing but their package. Hand-written because @grpc/reflection
 * drops custom options, and a method's policy is one.
 */
export function createReflection(services: readonly DescService[]): readonly StreamMethod[] {
  const index = createDescriptorIndex([...services, V1, V1Alpha])
  return [
    {
      method: V1.method.serverReflectionInfo,
      open: (requests) =>
        answers(requests, (request) => create(ServerReflectionResponseSchema, answer(index, request))),
    },
    {
      method: V1Alpha.method.serverReflectionInfo,
      open: (requests) =>
        answers(requests, (request) => create(ServerReflectionResponseV1AlphaSchema, answer(index, request))),
    },
  ]
}

async function* answers(
  requests: AsyncIterable<Message>,
  answerOne: (request: ServerReflectionRequest) => Message,
): AsyncIterable<Message> {
  // The generated types of the two versions are the same but for their names.
  for await (const request of requests) yield answerOne(request as unknown as ServerReflectionRequest)
}

type ResponseInit = MessageInitShape<typeof ServerReflectionResponseSchema> & { $typeName?: never }
type MessageResponse = NonNullable<ResponseInit['messageResponse']>

/** For either version: the echoed request is of the version it came in. */
function answer(index: DescriptorIndex, request: ServerReflectionRequest) {
  const messageResponse = responseTo(index, request)
  return { validHost: request.host, originalRequest: request as never, messageResponse: messageResponse as never }
}

function responseTo(index: DescriptorIndex, request: ServerReflectionRequest): MessageResponse {
  const asked = request.messageRequest
  switch (asked.case) {
    case 'fileByFilename':
      return files(index.fileByName(asked.value), asked.value)
    case 'fileContainingSymbol':
      return files(index.fileOfSymbol(asked.value), asked.value)
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = asked.value
      return files(index.fileOfExtension(containingType, extensionNumber), `${containingType} ${extensionNumber}`)
    }
    case 'allExtensionNumbersOfType': {
      const extensionNumber = index.extensionNumbers(asked.value)
      if (extensionNumber === undefined) return notFound(asked.value)
      const value = { baseTypeName: asked.value, extensionNumber: [...extensionNumber] }
      return { case: 'allExtensionNumbersResponse', value }
    }
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: index.serviceNames.map((name) => ({ name })) } }
    default:
      return failure(canonicalCode.INVALID_ARGUMENT, 'the request asks nothing')
  }
}

function files(fileDescriptorProto: readonly Uint8Array[] | undefined, asked: string): MessageResponse {
  if (fileDescriptorProto === undefined) return notFound(asked)
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: [...fileDescriptorProto] } }
}

function notFound(asked: string): MessageResponse {
  return failure(canonicalCode.NOT_FOUND, `not found: ${asked.slice(0, 200)}`)
}

function failure(errorCode: number, errorMessage: string): MessageResponse {
  return { case: 'errorResponse', value: { errorCode, errorMessage } }
}
