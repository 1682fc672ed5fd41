import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js'
import type { IncomingCall } from '../../rpc/call-state.ts'

export function incomingOf(
  metadata: Metadata,
  call: Pick<ServerInterceptingCallInterface, 'getDeadline' | 'getConnectionInfo'>,
): IncomingCall {
  const deadline = call.getDeadline()
  return {
    authorization: header(metadata, 'authorization'),
    workspaceHeader: header(metadata, 'x-workspace-id'),
    clientRequestId: header(metadata, 'x-request-id') ?? header(metadata, 'tenure-request-id'),
    // Kept by the call from its start; asking for the peer asks the socket, through a proxy, and joins a string.
    clientIp: call.getConnectionInfo().remoteAddress ?? '',
    deadlineMs: typeof deadline === 'number' && Number.isFinite(deadline) ? deadline : undefined,
    wantsBytes: true,
  }
}

/** Joined when sent twice, as HTTP does: two credentials are then none, and two workspaces disagree. */
function header(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name)
  if (values.length === 0) return undefined
  return values.length === 1 ? String(values[0]) : values.map(String).join(', ')
}

/** `10.0.0.1:5000` or `::1:5000` without the port. */
export function ipOfPeer(peer: string): string {
  const colon = peer.lastIndexOf(':')
  return colon < 0 ? '' : peer.slice(0, colon)
}
