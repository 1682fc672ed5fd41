import { readFileSync } from 'node:fs'
import { type ClientHttp2Session, connect } from 'node:http2'

export interface Load {
  readonly port: number
  readonly path: string
  readonly key: string
  /** Framed gRPC messages, drawn from uniformly. */
  readonly bodies: readonly Buffer[]
  /** The server's process, for its CPU time. */
  readonly pid: number
  readonly connections: number
  readonly streams: number
  readonly seconds: number
}

export interface LoadResult {
  readonly callsPerSecond: number
  readonly cpuMicrosPerCall: number
  /** Answers with another status than OK, or without a message. */
  readonly wrong: number
}

/** A closed loop of unary gRPC calls over bare http2: the cheapest client there is, so that the server is the bottleneck. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const state = { done: 0, wrong: 0, stop: false }
  const cpuBefore = cpuMicrosOf(load.pid)
  const startMs = performance.now()
  const sessions = Array.from({ length: load.connections }, () => connect(`http://127.0.0.1:${load.port}`))
  const loops = sessions.flatMap((session) => Array.from({ length: load.streams }, () => loop(session, load, state)))
  const timer = setTimeout(() => {
    state.stop = true
  }, load.seconds * 1_000)
  await Promise.all(loops)
  clearTimeout(timer)
  const seconds = (performance.now() - startMs) / 1_000
  for (const session of sessions) session.close()
  const cpu = cpuMicrosOf(load.pid) - cpuBefore
  return { callsPerSecond: state.done / seconds, cpuMicrosPerCall: cpu / state.done, wrong: state.wrong }
}

async function loop(
  session: ClientHttp2Session,
  load: Load,
  state: { done: number; wrong: number; stop: boolean },
): Promise<void> {
  while (!state.stop) {
    const body = load.bodies[Math.floor(Math.random() * load.bodies.length)] ?? Buffer.alloc(5)
    if (!(await callOnce(session, load, body))) state.wrong += 1
    state.done += 1
  }
}

/** One unary gRPC call; whether it was answered with a message and the status OK. */
export function callOnce(
  session: ClientHttp2Session,
  load: Pick<Load, 'path' | 'key'>,
  body: Buffer,
): Promise<boolean> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': load.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${load.key}`,
    })
    let bytes = 0
    let status = ''
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    stream.on('trailers', (trailers) => {
      status = String(trailers['grpc-status'])
    })
    stream.on('error', () => resolve(false))
    stream.on('close', () => resolve(status === '0' && bytes > 5))
    stream.end(body)
  })
}

/** User and system time of a process, in microseconds: fields 14 and 15 of its stat line, in ticks of 10 ms. */
function cpuMicrosOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}
