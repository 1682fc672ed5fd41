import { quantile } from './bench-table.ts'
import { type LoadResult, runLoad } from './http2-load.ts'

export interface RpcFigures {
  readonly perSecond: number
  readonly cpuMicrosPerCall: number
  /** Between the slowest and the fastest round, in percent of the median. */
  readonly spreadPercent: number
  readonly wrong: number
}

const rounds = 3
const secondsPerRound = 4
const warmUpSeconds = 2

/** A closed loop over 4 connections x 16 streams, the median of the rounds. */
export async function measureRpc(
  target: { readonly port: number; readonly key: string; readonly pid: number },
  path: string,
  bodies: readonly string[],
): Promise<RpcFigures> {
  const load = {
    ...{ ...target, path, connections: 4, streams: 16 },
    bodies: bodies.map((body) => Buffer.from(body, 'base64')),
  }
  await runLoad({ ...load, seconds: warmUpSeconds })
  const results: LoadResult[] = []
  for (let round = 0; round < rounds; round += 1) results.push(await runLoad({ ...load, seconds: secondsPerRound }))
  const rates = results.map(({ callsPerSecond }) => callsPerSecond)
  const perSecond = quantile(rates, 0.5)
  return {
    perSecond,
    cpuMicrosPerCall: quantile(
      results.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall),
      0.5,
    ),
    spreadPercent: ((Math.max(...rates) - Math.min(...rates)) / perSecond) * 100,
    wrong: results.reduce((sum, { wrong }) => sum + wrong, 0),
  }
}
