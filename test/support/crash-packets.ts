import { mysqlErrorPacket } from '../rigs/mysql/mysql-packets.ts'
import type { FaultProxy } from '../rigs/tcp-fault-proxy.ts'

/**
 * What happens to a piece of bytes on its way to MySQL: its connection is cut before they arrive, or when they are answered;
 * or they never arrive, and an error is the answer.
 */
export type Strike = 'before' | 'after' | MysqlFailure

export interface MysqlFailure {
  readonly code: number
  readonly sqlState: string
}

/** Asked once for every piece. Undefined: it is delivered. */
export type PacketRule = (bytes: Buffer, network: FaultProxy) => Strike | undefined

/** The rules of a network cannot be taken out of it again, so two stay in it for good and ask here what to do. */
export class PacketSwitch {
  rule: PacketRule | undefined

  constructor(network: FaultProxy) {
    const forever = { times: Number.POSITIVE_INFINITY }
    let strike: Strike | undefined
    // The first of the two that is asked asks for both.
    const isAnswered = (bytes: Buffer): boolean => {
      strike = this.rule?.(bytes, network)
      return typeof strike === 'object'
    }
    network.replyWith(isAnswered, () => errorFrom(strike), forever)
    network.cutWhen((_bytes, direction) => (direction === 'toServer' ? cutFrom(strike) : undefined), forever)
  }
}

function errorFrom(strike: Strike | undefined): Buffer {
  if (typeof strike !== 'object') throw new Error('there is nothing to answer')
  return mysqlErrorPacket(1, strike.code, strike.sqlState, 'made up')
}

function cutFrom(strike: Strike | undefined): 'before' | 'after' | undefined {
  return typeof strike === 'object' ? undefined : strike
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
