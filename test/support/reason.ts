import { ConnectError } from '@connectrpc/connect'
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts'

/** The reason a call fails with; `OK` when it does not. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'OK'
  } catch (error) {
    return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason ?? String(error)
  }
}
