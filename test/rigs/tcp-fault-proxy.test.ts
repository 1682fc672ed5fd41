import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FaultProxy, openFaultProxy } from './tcp-fault-proxy.ts'

let received: string
let atServer: Set<Socket>
let server: Server
let proxy: FaultProxy
let clients: Client[]

beforeEach(async () => {
  received = ''
  clients = []
  atServer = new Set()
  server = createServer((socket) => {
    atServer.add(socket)
    socket.on('close', () => atServer.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1')
      socket.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await openFaultProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  for (const { socket } of clients) socket.destroy()
  await proxy[Symbol.asyncDispose]()
  server.close()
})

interface Client {
  readonly socket: Socket
  readonly ended: Promise<string>
  heard: string
}

async function open(): Promise<Client> {
  const socket = connect({ host: proxy.host, port: proxy.port, noDelay: true })
  const ended = new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('end', () => resolve('end'))
  })
  const client: Client = { socket, ended, heard: '' }
  clients.push(client)
  socket.on('data', (bytes) => {
    client.heard += bytes.toString('latin1')
  })
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), ended])
  return client
}

async function becomes(read: () => unknown, wanted: unknown): Promise<void> {
  await expect.poll(read, { interval: 2 }).toEqual(wanted)
}

async function ask(client: Client, text: string): Promise<void> {
  client.socket.write(text)
  await becomes(() => client.heard, text)
}

test('bytes and ends pass both ways, and connections are counted', async () => {
  const client = await open()
  await ask(client, 'hello')
  expect(proxy.connections()).toBe(1)
  client.socket.end()
  expect(await client.ended).toBe('end')
  await becomes(() => [proxy.connections(), atServer.size], [0, 0])
})

test('a delay is added each way and keeps the order', async () => {
  const client = await open()
  proxy.setDelay(60)
  const start = performance.now()
  client.socket.write('a')
  await sleep(10)
  client.socket.write('b')
  await becomes(() => client.heard, 'ab')
  expect(performance.now() - start).toBeGreaterThan(115)
})

test('what is swallowed is lost, and so is an end', async () => {
  const client = await open()
  const other = await open()
  await ask(client, '1')
  proxy.swallow(true)
  client.socket.write('2')
  other.socket.destroy()
  await sleep(30)
  expect(atServer.size).toBe(2)
  proxy.swallow(false)
  client.socket.write('3')
  await becomes(() => [client.heard, received], ['13', '13'])
  await becomes(() => atServer.size, 1)
})

test('what is held comes later, in order', async () => {
  const client = await open()
  proxy.hold(true)
  proxy.hold(true)
  client.socket.write('1')
  await sleep(20)
  client.socket.write('2')
  await sleep(20)
  expect(received).toBe('')
  proxy.hold(false)
  await becomes(() => client.heard, '12')
})

test('a cut resets every connection, and refused ones are reset at once', async () => {
  const [client, other] = [await open(), await open()]
  await ask(client, '1')
  await ask(other, '2')
  proxy.cutAll()
  expect(await Promise.all([client.ended, other.ended])).toEqual(['ECONNRESET', 'ECONNRESET'])
  await becomes(() => atServer.size, 0)
  proxy.refuse(true)
  expect(await (await open()).ended).toBe('ECONNRESET')
  proxy.refuse(false)
  await ask(await open(), '3')
})

const says = (text: string) => (bytes: Buffer) => bytes.includes(text)

test('cut before: the server never hears it; once, unless more is asked for', async () => {
  proxy.cutWhen((bytes) => (says('commit')(bytes) ? 'before' : undefined))
  const client = await open()
  await ask(client, 'begin')
  client.socket.write('commit')
  expect(await client.ended).toBe('ECONNRESET')
  expect(received).toBe('begin')
  await ask(await open(), 'commit')
  proxy.cutWhen(() => 'before', { times: 2 })
  for (let at = 0; at < 2; at += 1) {
    const again = await open()
    again.socket.write('x')
    expect(await again.ended).toBe('ECONNRESET')
  }
  await ask(await open(), 'y')
})

test('cut after: the server has heard it and the client hears nothing', async () => {
  proxy.cutWhen((bytes, direction) => (direction === 'toServer' && says('commit')(bytes) ? 'after' : undefined))
  const client = await open()
  client.socket.write('commit')
  expect(await client.ended).toBe('ECONNRESET')
  expect([received, client.heard]).toEqual(['commit', ''])
})

test('cut after an answer: the client has it, and the connection is gone', async () => {
  proxy.cutWhen((_bytes, direction) => (direction === 'toClient' ? 'after' : undefined))
  const client = await open()
  client.socket.write('commit')
  expect(await client.ended).toBe('ECONNRESET')
  expect([received, client.heard]).toEqual(['commit', 'commit'])
})

test('an answer of its own goes to the client and nothing to the server', async () => {
  proxy.replyWith(says('commit'), (bytes) => Buffer.from(`no ${bytes.toString('latin1')}`))
  const client = await open()
  client.socket.write('commit')
  await becomes(() => client.heard, 'no commit')
  client.socket.write('commit')
  await becomes(() => [client.heard, received], ['no commitcommit', 'commit'])
})
