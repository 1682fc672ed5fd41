import { mysqlErrorPacket } from '../rigs/mysql/mysql-packets.ts'
import type { FaultProxy } from '../rigs/tcp-fault-proxy.ts'

/**
 * What happens to a piece of bytes on its way to MySQL: its connection is cut before they arrive, or when they are answered;
 * every connection is cut a moment after they arrived; or they never arrive, and an error is the answer.
 */
export type Strike =
  | 'before'
  | 'after'
  | { readonly cutAfterMs: number }
  | { readonly code: number; readonly sqlState: string }

/** Asked once for every piece. */
export type PacketRule = (bytes: Buffer) => Strike | undefined

/** The rules of a network cannot be taken out of it again, so two stay in it for good and ask here what to do. */
export class PacketSwitch {
  rule: PacketRule | undefined

  constructor(network: FaultProxy) {
    const forever = { times: Number.POSITIVE_INFINITY }
    let cut: 'before' | 'after' | undefined
    let error: Buffer | undefined
    // The first of the two that is asked asks for both.
    const isAnswered = (bytes: Buffer): boolean => {
      const strike = this.rule?.(bytes)
      cut = typeof strike === 'string' ? strike : undefined
      error = errorFrom(strike)
      if (typeof strike === 'object' && 'cutAfterMs' in strike) setTimeout(network.cutAll, strike.cutAfterMs)
      return error !== undefined
    }
    network.replyWith(isAnswered, () => error ?? Buffer.alloc(0), forever)
    network.cutWhen((_bytes, direction) => (direction === 'toServer' ? cut : undefined), forever)
  }
}

function errorFrom(strike: Strike | undefined): Buffer | undefined {
  if (typeof strike !== 'object' || 'cutAfterMs' in strike) return undefined
  return mysqlErrorPacket(1, strike.code, strike.sqlState, 'made up')
}

const comStmtExecute = 0x17
const headerBytes = 4

/** A prepared statement that is executed, and nothing else in the same piece. */
export function isExecute(bytes: Buffer): boolean {
  return (
    bytes.length > headerBytes &&
    bytes[headerBytes] === comStmtExecute &&
    bytes.readUIntLE(0, 3) === bytes.length - headerBytes
  )
}
