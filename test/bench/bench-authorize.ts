import { type BenchProcess, pin, startBenchProcess } from './bench-process.ts'
import { type Load, type LoadResult, runLoad } from './http2-load.ts'

/**
 * Authorize through the real pipeline, beside two ceilings in the same run: an echo on grpc-js and an echo on bare http2.
 * Servers take turns on one core, the load comes from another. The figure to trust is CPU time per call, because it does
 * not depend on whether server or load was the slower one; calls per second are shown beside it.
 */
const rounds = 3
const secondsPerRound = 4
const warmUpSeconds = 2
const shapes = [
  { name: '1 connection x 64 streams', connections: 1, streams: 64 },
  { name: '4 connections x 16 streams', connections: 4, streams: 16 },
]
const servers = ['authorize', 'grpc-js echo', 'http2 echo'] as const
type ServerName = (typeof servers)[number]

interface Started {
  readonly child: BenchProcess<Ready>
  readonly load: Omit<Load, 'connections' | 'streams' | 'seconds'>
}

type Ready = Pick<Load, 'port' | 'path' | 'key'> & { readonly bodies: readonly string[] }

async function start(name: ServerName): Promise<Started> {
  const child = await startBenchProcess<Ready>('bench-server.ts', [name])
  const bodies = child.ready.bodies.map((body) => Buffer.from(body, 'base64'))
  return { child, load: { ...child.ready, bodies, pid: child.pid } }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function report(shape: string, results: ReadonlyMap<ServerName, LoadResult[]>): void {
  process.stdout.write(
    `\n${shape}\n${'server'.padEnd(16)}${'calls/s'.padStart(10)}${'spread'.padStart(9)}${'CPU µs/call'.padStart(13)}${'of echo'.padStart(9)}${'wrong'.padStart(7)}\n`,
  )
  const echoCpu = median((results.get('grpc-js echo') ?? []).map(({ cpuMicrosPerCall }) => cpuMicrosPerCall))
  for (const [name, runs] of results) {
    const rates = runs.map(({ callsPerSecond }) => callsPerSecond)
    const rate = median(rates)
    const spread = ((Math.max(...rates) - Math.min(...rates)) / rate) * 100
    const cpu = median(runs.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall))
    const wrong = runs.reduce((sum, run) => sum + run.wrong, 0)
    const cells = [
      name.padEnd(16),
      rate.toFixed(0).padStart(10),
      `${spread.toFixed(0)}%`.padStart(9),
      cpu.toFixed(1).padStart(13),
      `${((echoCpu / cpu) * 100).toFixed(0)}%`.padStart(9),
      String(wrong).padStart(7),
    ]
    process.stdout.write(`${cells.join('')}\n`)
  }
}

pin(1, process.pid)
process.stdout.write('Starting three servers; Authorize seeds 1,000 tenants first.\n')
const started = new Map<ServerName, Started>()
for (const name of servers) started.set(name, await start(name))
try {
  for (const shape of shapes) {
    const results = new Map<ServerName, LoadResult[]>(servers.map((name) => [name, []]))
    for (const [name, { load }] of started) {
      process.stdout.write(`warming up ${name}\n`)
      await runLoad({ ...load, ...shape, seconds: warmUpSeconds })
    }
    for (let round = 1; round <= rounds; round += 1) {
      for (const [name, { load }] of started) {
        const result = await runLoad({ ...load, ...shape, seconds: secondsPerRound })
        results.get(name)?.push(result)
        process.stdout.write(`round ${round}/${rounds} ${name}: ${result.callsPerSecond.toFixed(0)} calls/s\n`)
      }
    }
    report(shape.name, results)
  }
} finally {
  for (const { child } of started.values()) await child[Symbol.asyncDispose]()
}
