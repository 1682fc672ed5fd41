const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 }
const grpcTimeout = /^(\d{1,8})([HMSmun])$/
const connectTimeout = /^\d{1,10}$/

/**
 * Cuts a client's timeout down to the server's. connect-node refuses longer ones, while gRPC servers take them and stop
 * earlier; the same call would fail on one transport and succeed on the other.
 */
export function clampTimeouts(headers: Record<string, string | string[] | undefined>, maxMs: number): void {
  const connect = headers['connect-timeout-ms']
  if (typeof connect === 'string' && connectTimeout.test(connect) && Number(connect) > maxMs) {
    headers['connect-timeout-ms'] = String(maxMs)
  }
  const grpc = headers['grpc-timeout']
  const parts = typeof grpc === 'string' ? grpcTimeout.exec(grpc) : null
  if (parts !== null && Number(parts[1]) * (unitMs[parts[2] ?? ''] ?? 0) > maxMs) headers['grpc-timeout'] = `${maxMs}m`
}
