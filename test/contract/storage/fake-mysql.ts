import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { mysqlErrorPacket } from '../../rigs/mysql/mysql-packets.ts'

export interface FakeMysql extends AsyncDisposable {
  readonly port: number
}

export interface FakeMysqlOptions {
  readonly version: string
  readonly comment: string
  /** After its first answer it `leaves`, before it is asked again, and says so as MySQL does; or it is `mute`. */
  readonly afterwards?: 'leaves' | 'mute'
}

/** A server without TLS that lets everybody in and answers every query with what it says of its version. */
export async function startFakeMysql(options: FakeMysqlOptions): Promise<FakeMysql> {
  const { version, comment } = options
  const leaves = options.afterwards === 'leaves'
  const row = Buffer.concat([text(version), text(comment)])
  const answer = [Buffer.from([2]), column('version'), column('comment'), endOfRows, row, endOfRows]
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let asked = -1
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      asked += 1
      if (asked === 0) socket.write(packets(2, [welcome]))
      else if (bytes[4] === comQuery && (asked === 1 || options.afterwards !== 'mute')) {
        socket.write(Buffer.concat([packets(1, answer), ...(leaves ? [farewell] : [])]))
        if (leaves) socket.end()
      }
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

const clientInteractionTimeout = 4031
/** Sequence 0: the answer to no command. */
const farewell = mysqlErrorPacket(0, clientInteractionTimeout, 'HY000', 'The client was disconnected by the server')

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
