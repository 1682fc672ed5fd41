import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import type { Client } from '@connectrpc/connect'
import type { Operation, Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { OperationMetadataSchema } from '../../src/gen/tenure/v1/operation_metadata_pb.ts'

/** Waits until it is done. Throws when it is not in a minute. */
export async function ended(client: Client<typeof Operations>, operation: Operation | undefined): Promise<Operation> {
  const name = operation?.name ?? ''
  for (let waited = 0; waited < 3; waited += 1) {
    const found = await client.waitOperation({ name, timeout: { seconds: 20n } })
    if (found.done) return found
  }
  throw new Error(`${name} does not end`)
}

export function metadataOf(operation: Operation) {
  return fromBinary(OperationMetadataSchema, operation.metadata?.value ?? Buffer.alloc(0))
}

/** Throws, with what it failed with, when it did not succeed. */
export function responseOf<O extends DescMessage>({ result }: Operation, schema: O): MessageShape<O> {
  if (result.case !== 'response') throw new Error(result.case === 'error' ? result.value.message : 'it has not ended')
  return fromBinary(schema, result.value.value)
}
