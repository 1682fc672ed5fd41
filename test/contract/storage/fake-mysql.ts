import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

export interface FakeMysql extends AsyncDisposable {
  readonly port: number
}

export interface FakeMysqlOptions {
  readonly version: string
  readonly comment: string
}

/** A server without TLS that lets everybody in and answers every query with what it says of its version. */
export async function startFakeMysql({ version, comment }: FakeMysqlOptions): Promise<FakeMysql> {
  const row = Buffer.concat([text(version), text(comment)])
  const answer = [Buffer.from([2]), column('version'), column('comment'), endOfRows, row, endOfRows]
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let isKnown = false
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      if (!isKnown) socket.write(packets(2, [welcome]))
      else if (bytes[4] === comQuery) socket.write(packets(1, answer))
      isKnown = true
    })
    socket.write(packets(0, [handshake(version)]))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const comQuery = 3
const welcome = Buffer.from([0, 0, 0, 2, 0, 0, 0])
const endOfRows = Buffer.from([0xfe, 0, 0, 2, 0])

/** Each with its length and its number. */
function packets(first: number, payloads: readonly Buffer[]): Buffer {
  const framed = payloads.map((payload, index) => {
    const header = Buffer.alloc(4)
    header.writeUIntLE(payload.length, 0, 3)
    header.writeUInt8(first + index, 3)
    return Buffer.concat([header, payload])
  })
  return Buffer.concat(framed)
}

/** Protocol 4.1, native passwords, a database in the answer; neither TLS nor compression. */
function handshake(version: string): Buffer {
  const salt = Buffer.alloc(8, 's')
  const capabilities = [0x09, 0xa2, 0x08, 0x00]
  return Buffer.concat([
    Buffer.from(`\u000a${version}\0`),
    Buffer.from([1, 0, 0, 0]),
    salt,
    Buffer.from([0, ...capabilities.slice(0, 2), 46, 2, 0, ...capabilities.slice(2), 21]),
    Buffer.alloc(10),
    Buffer.from('ssssssssssss\0mysql_native_password\0'),
  ])
}

function column(name: string): Buffer {
  const type = Buffer.from([0x0c, 46, 0, 255, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0])
  return Buffer.concat([text('def'), text(''), text(''), text(''), text(name), text(name), type])
}

function text(value: string): Buffer {
  return Buffer.from(`${String.fromCharCode(value.length)}${value}`, 'latin1')
}
