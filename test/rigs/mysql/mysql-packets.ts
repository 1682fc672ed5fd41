/** A packet is 3 bytes of length, a sequence number and its payload; a command's payload begins with what it is. */
const headerBytes = 4
const comQuery = 3
/** What a client that may send attributes with a query puts before its text: none, in one set. */
const noAttributes = Buffer.from([0, 1])

/** Whether there is a query among the packets that is COMMIT and nothing else. */
export function isCommit(bytes: Buffer): boolean {
  let at = 0
  while (at + headerBytes <= bytes.length) {
    const next = at + headerBytes + bytes.readUIntLE(at, 3)
    if (queryIn(bytes.subarray(at + headerBytes, next))?.toUpperCase() === 'COMMIT') return true
    at = next
  }
  return false
}

function queryIn(payload: Buffer): string | undefined {
  if (payload[0] !== comQuery) return undefined
  const rest = payload.subarray(1)
  return (rest.indexOf(noAttributes) === 0 ? rest.subarray(noAttributes.length) : rest).toString('latin1')
}

/** An error as the server would send it. The answer to a command has sequence 1. */
export function mysqlErrorPacket(sequence: number, code: number, sqlState: string, message: string): Buffer {
  const payload = Buffer.from(`\xff\0\0#${sqlState}${message}`, 'latin1')
  payload.writeUInt16LE(code, 1)
  const header = Buffer.alloc(headerBytes)
  header.writeUIntLE(payload.length, 0, 3)
  header.writeUInt8(sequence, 3)
  return Buffer.concat([header, payload])
}
