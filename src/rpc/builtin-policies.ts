import type { DescMethod } from '@bufbuild/protobuf'

/** Standard services defined elsewhere, whose protos cannot carry our option: their facts, method by method. */
export const builtinPublicMethods: ReadonlySet<string> = new Set([
  'grpc.health.v1.Health/Check',
  'grpc.health.v1.Health/List',
  'grpc.health.v1.Health/Watch',
  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
])

export function fullMethodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`
}
