import { Agent, request } from 'node:http'
import type { OpenBaoRig } from '../rigs/openbao/start-openbao.ts'
import { pin, startBenchProcess } from './bench-process.ts'
import { disposeOnSignal, readOptions } from './bench-run.ts'
import type { SecretsReady } from './bench-secrets-server.ts'
import { circumstances, printCircumstances, printTable } from './bench-table.ts'
import { startRealBackends } from './real-backends.ts'
import { measureRpc, type RpcFigures } from './rpc-rounds.ts'

// Secrets on MySQL and OpenBao, every access durable in the audit log before its value leaves, beside raw calls of transit
// in the same run. The server has one core, the load the other; database and OpenBao go where there is room.

const rawSeconds = 4
const rawAtOnce = 16
const { json } = readOptions({})

const agent = new Agent({ keepAlive: true, maxSockets: rawAtOnce })

function post(bao: OpenBaoRig, path: string, body: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', agent, headers: { 'x-vault-token': bao.rootToken } }
    const outgoing = request(`${bao.address}/v1/${path}`, options, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += String(chunk)
      })
      response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))))
    })
    outgoing.on('error', reject)
    outgoing.end(JSON.stringify(body))
  })
}

/** Calls per second, so many at a time. */
async function rateOf(call: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  const endMs = startMs + rawSeconds * 1_000
  let done = 0
  const loop = async () => {
    for (; performance.now() < endMs; done += 1) await call()
  }
  await Promise.all(Array.from({ length: rawAtOnce }, loop))
  return (done * 1_000) / (performance.now() - startMs)
}

async function measureRaw(bao: OpenBaoRig): Promise<{ datakey: number; decrypt: number }> {
  await bao.ask('POST', 'transit/keys/raw')
  const answer = JSON.parse(await post(bao, 'transit/datakey/plaintext/raw', {})) as { data: { ciphertext: string } }
  return {
    datakey: await rateOf(() => post(bao, 'transit/datakey/plaintext/raw', {})),
    decrypt: await rateOf(() => post(bao, 'transit/decrypt/raw', { ciphertext: answer.data.ciphertext })),
  }
}

/** Questions to the keyring so far, as the server counts them. */
async function keyringCalls(httpUrl: string): Promise<number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text()
  const counts = text.matchAll(/^tenure_keyring_calls_total\{[^}]*\} (\d+)$/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

interface Measured extends RpcFigures {
  readonly keyringCalls: number
}

async function measure(path: string, bodies: readonly string[]): Promise<Measured> {
  const before = await keyringCalls(server.ready.httpUrl)
  const figures = await measureRpc({ ...server.ready, pid: server.pid }, `/tenure.v1.SecretService/${path}`, bodies)
  return { ...figures, keyringCalls: (await keyringCalls(server.ready.httpUrl)) - before }
}

pin(1, process.pid)
if (!json) process.stdout.write('Starting MySQL, OpenBao and a server; 64 tenants with 4 secrets each.\n')
await using backends = await startRealBackends()
await using server = await startBenchProcess<SecretsReady>('bench-secrets-server.ts', [], backends.env)
disposeOnSignal(backends)
const raw = await measureRaw(backends.bao)
const first = await measure('AccessSecretVersion', server.ready.access)
const again = await measure('AccessSecretVersion', server.ready.access)
const added = await measure('AddSecretVersion', server.ready.add)
if (json) {
  process.stdout.write(`${JSON.stringify({ ...circumstances(), raw, first, again, added })}\n`)
} else {
  printCircumstances()
  const row = (name: string, { perSecond, cpuMicrosPerCall, spreadPercent, wrong, keyringCalls: calls }: Measured) => {
    return [name, perSecond, cpuMicrosPerCall, `${spreadPercent.toFixed(0)}%`, wrong, calls]
  }
  printTable(
    ['', 'per second', 'CPU µs', 'spread', 'wrong', 'keyring calls'],
    [
      ['transit datakey, raw', raw.datakey, '', '', '', ''],
      ['transit decrypt, raw', raw.decrypt, '', '', '', ''],
      row('AccessSecretVersion, 256 data keys new', first),
      row('AccessSecretVersion, all held', again),
      row('AddSecretVersion', added),
    ],
  )
}
