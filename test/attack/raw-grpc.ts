import type { DescMethod } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { failed, type Played, succeeded } from '../parity/played.ts'

/** One native gRPC connection over which any bytes are sent as any method's request. */
export interface RawGrpc extends Disposable {
  call(
    method: DescMethod,
    bytes: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ): Promise<Played & { readonly answer: Uint8Array }>
}

export function openRawGrpc(port: number): RawGrpc {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 })
  const same = (buffer: Buffer) => buffer
  return {
    call(method, bytes, headers) {
      const metadata = new Metadata()
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
      const path = `/${method.parent.typeName}/${method.name}`
      const options = { deadline: Date.now() + 20_000 }
      return new Promise((resolve) => {
        client.makeUnaryRequest(
          path,
          same,
          same,
          Buffer.from(bytes),
          metadata,
          options,
          (error: ServiceError | null, answer = Buffer.alloc(0)) => {
            const get = (name: string) => String(error?.metadata.get(name)[0] ?? '')
            if (error === null) resolve({ ...succeeded('grpc-js', undefined, get), answer })
            else {
              const details = error.metadata.get('grpc-status-details-bin')[0]
              resolve({
                ...failed('grpc-js', error.code, error.details, Buffer.isBuffer(details) ? details : undefined, get),
                answer,
              })
            }
          },
        )
      })
    },
    [Symbol.dispose]: () => client.close(),
  }
}
