import { fromBinary } from '@bufbuild/protobuf'
import { Client, credentials, logVerbosity, setLogVerbosity } from '@grpc/grpc-js'
import { GetJwksResponseSchema, SigningKeyService } from '../../gen/tenure/v1/signing_key_service_pb.ts'

/**
 * The ids of the public keys that the server at `address` publishes over gRPC; undefined where nobody answers as Tenure
 * does. What is asked is open to everybody and nothing secret is sent: a certificate that is made out to another name than
 * this address says is no reason to know less.
 */
export async function askPublishedKeys(
  address: string,
  options: { readonly isEncrypted: boolean; readonly timeoutMs: number },
): Promise<readonly string[] | undefined> {
  setLogVerbosity(logVerbosity.NONE)
  const encrypted = () => credentials.createSsl(null, null, null, { rejectUnauthorized: false })
  const client = new Client(address, options.isEncrypted ? encrypted() : credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    // An address of numbers cannot be asked for by name, which grpc-js would try.
    ...(options.isEncrypted ? { 'grpc.ssl_target_name_override': 'localhost' } : {}),
  })
  const path = `/${SigningKeyService.typeName}/${SigningKeyService.method.getJwks.name}`
  const same = (bytes: Buffer) => bytes
  try {
    const answer = await new Promise<Buffer | undefined>((resolve) => {
      const call = client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error, value) =>
        resolve(error === null ? value : undefined),
      )
      AbortSignal.timeout(options.timeoutMs).addEventListener('abort', () => call.cancel())
    })
    return answer === undefined ? undefined : fromBinary(GetJwksResponseSchema, answer).keys.map(({ kid }) => kid)
  } catch {
    return undefined
  } finally {
    client.close()
  }
}
