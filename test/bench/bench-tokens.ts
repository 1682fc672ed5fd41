import { pin, startBenchProcess } from './bench-process.ts'
import { disposeOnSignal, readOptions } from './bench-run.ts'
import type { SecretsReady } from './bench-secrets-server.ts'
import { circumstances, printTable } from './bench-table.ts'
import { measureTokens, printTokenFigures } from './bench-tokens-verify.ts'
import { startRealBackends } from './real-backends.ts'
import { measureRpc } from './rpc-rounds.ts'

// Tokens: what signing and verifying cost beside bare node:crypto, and IssueToken as a call, on MySQL, every token durable
// in the audit log before it leaves.

const { json } = readOptions({})
pin(1, process.pid)
const figures = await measureTokens()
if (!json) printTokenFigures(figures)
await using backends = await startRealBackends()
await using server = await startBenchProcess<SecretsReady>('bench-secrets-server.ts', [], backends.env)
disposeOnSignal(backends)
const target = { ...server.ready, pid: server.pid }
const issued = await measureRpc(target, '/tenure.v1.TokenService/IssueToken', server.ready.issue)
if (json) process.stdout.write(`${JSON.stringify({ ...circumstances(), ...figures, issued })}\n`)
else {
  const { perSecond, cpuMicrosPerCall, spreadPercent, wrong } = issued
  printTable(
    ['', 'per second', 'CPU µs', 'spread', 'wrong'],
    [['IssueToken over gRPC', perSecond, cpuMicrosPerCall, `${spreadPercent.toFixed(0)}%`, wrong]],
  )
}
