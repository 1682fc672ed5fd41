import { existsSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { connect } from 'node:net'
import type { Clock } from './base/clock.ts'
import type { Config } from './config/config.ts'
import { formatListenAddress, type ListenAddress } from './config/listen-address.ts'
import { type Finding, failed, ok, warning } from './doctor-finding.ts'
import { readRows } from './storage-check.ts'
import { askPublishedKeys } from './transport/grpc/ask-published-keys.ts'

/**
 * Who listens at an address: nobody, a server of this installation, one of another, one of an installation that cannot be
 * told (the database cannot be read), or what does not answer as Tenure does.
 */
type Who = 'nobody' | 'ours' | 'another' | 'untold' | 'foreign'

export interface SeenServers {
  readonly grpc: { readonly at: string; readonly who: Who }
  readonly http: { readonly at: string; readonly who: Who }
  readonly isReady: boolean
  /** Whoever has no certificate of a client, as nobody has here, gets no answer. */
  readonly wantsCertificates: boolean
  /** Of the server at the HTTP address, where it is not known to be one of another installation. */
  readonly metrics: string | undefined
}

const answerTimeoutMs = 2_000

/** Which installation a server is of, its keys say: it publishes them to everybody, and they are in its database. */
export async function seeServers({ database, grpcAddress, httpAddress, tls }: Config): Promise<SeenServers> {
  const isEncrypted = tls !== undefined
  const own = await readRows(database, 'SELECT kid FROM signing_keys').catch(() => undefined)
  const kids = own && new Set(own.map(({ kid }) => String(kid)))
  const whose = (published: readonly string[] | undefined): Who => {
    if (published === undefined) return 'foreign'
    if (kids === undefined) return 'untold'
    return published.some((kid) => kids.has(kid)) ? 'ours' : 'another'
  }
  const ask = (path: string) => answerOf(`${isEncrypted ? 'https' : 'http'}://${reachable(httpAddress)}${path}`)
  const seeGrpc = async (): Promise<Who> => {
    if (!(await isListening(grpcAddress))) return 'nobody'
    return whose(await askPublishedKeys(reachable(grpcAddress), { isEncrypted, timeoutMs: answerTimeoutMs }))
  }
  const seeHttp = async (): Promise<{ readonly who: Who; readonly metrics?: string }> => {
    if (!(await isListening(httpAddress))) return { who: 'nobody' }
    const metrics = (await ask('/metrics'))?.text ?? ''
    if (!/^tenure_/m.test(metrics)) return { who: 'foreign' }
    return { who: whose(kidsIn((await ask('/.well-known/jwks.json'))?.text)), metrics }
  }
  const [grpc, { who: here, metrics }] = await Promise.all([seeGrpc(), seeHttp()])
  const isAsked = here === 'ours' || here === 'untold'
  return {
    grpc: { at: formatListenAddress(grpcAddress), who: grpc },
    http: { at: formatListenAddress(httpAddress), who: here },
    wantsCertificates: tls?.clientCa !== undefined,
    isReady: isAsked && (await ask('/readyz'))?.status === 200,
    metrics: isAsked ? metrics : undefined,
  }
}

export function examinePorts({ grpc, http, isReady, wantsCertificates }: SeenServers): Finding {
  const both = [grpc, http]
  const where = (who: Who) =>
    both
      .filter((each) => each.who === who)
      .map(({ at }) => at)
      .join(' and ')
  const [nobody, ours, another, untold, foreign] = (['nobody', 'ours', 'another', 'untold', 'foreign'] as const).map(
    where,
  )
  if (foreign !== '' && wantsCertificates) {
    return warning(
      `Something listens on ${foreign}. Whether it is Tenure cannot be asked without a client certificate, as TENURE_TLS_CLIENT_CA_FILE wants one; look at its /readyz with one.`,
    )
  }
  if (foreign !== '') return failed(`${foreign} is taken by something else. Stop it, or choose another address.`)
  if (another !== '') {
    return failed(
      `${another} is taken by a server of another installation: its keys are not in this database. Stop it, choose another address, or look at TENURE_DATABASE_URL.`,
    )
  }
  if (grpc.who === 'nobody' && http.who === 'nobody') return ok(`${nobody} are free.`)
  if (nobody !== '') {
    return failed(
      `A Tenure server listens on ${ours || untold}, and nobody on ${nobody}. Set both addresses as they are set there, or stop it.`,
    )
  }
  if (untold !== '') {
    return warning(`Tenure listens on ${untold}; whether of this installation, an unreadable database does not tell.`)
  }
  if (isReady) return ok(`A server listens on ${grpc.at} and ${http.at}, and serves.`)
  return warning(`A server listens on ${grpc.at} and ${http.at}, and is not ready. Read its log.`)
}

export function examineFeed({ http, metrics }: SeenServers): Finding {
  const seconds = metricIn(metrics, 'tenure_feed_freshness_seconds')
  if (seconds === undefined) return ok(`No server ${ofThis(http.who)} here, so nothing is followed.`)
  const text = `The server here decides by what is ${seconds.toFixed(2)} s old`
  if (seconds < 2) return ok(`${text}.`)
  return failed(`${text}. The database cannot be followed: look at the line above about it, and at the log.`)
}

const ofThis = (who: Who) => (who === 'another' ? 'of this installation runs' : 'runs')

/** A minute is many rounds: something keeps them. */
const lateSeconds = 60

/** What the setting of this process names is not what a server that runs was started with: of that, its metrics speak. */
export function examineCheckpoints(config: Config, { http, metrics }: SeenServers, clock: Clock): Finding {
  const { sink } = config.auditCheckpoints
  const rewritten = metricIn(metrics, 'tenure_audit_chains_rewritten')
  if (rewritten !== undefined && rewritten > 0) {
    return failed(`${rewritten} audit chains are not what was signed for. The log names them; ask VerifyAuditChain.`)
  }
  if (sink.kind === 'none') {
    return warning(
      'Checkpoints of the audit chains stay in the database: who can write it can rewrite history. Set TENURE_AUDIT_CHECKPOINTS, here and for the server.',
    )
  }
  const where = sink.kind === 'file' ? sink.path : sink.kind === 'webhook' ? sink.url : 'standard output'
  const upTo = metricIn(metrics, 'tenure_audit_checkpoint_timestamp_seconds')
  if (upTo === undefined) {
    return ok(`A server started with these settings ships checkpoints to ${where}. No server ${ofThis(http.who)} here.`)
  }
  if (upTo === 0)
    return warning('The server here has shipped no checkpoint yet. It does within ten seconds; ask again.')
  const seconds = clock.nowMs() / 1000 - upTo
  if (seconds >= lateSeconds) {
    return failed(
      'For a minute no checkpoint has left the server here. Its log says why; mend the place, or its TENURE_AUDIT_CHECKPOINTS.',
    )
  }
  const text = `The server here has signed for everything up to ${seconds.toFixed(0)} s ago`
  if (sink.kind !== 'file')
    return ok(`${text}. Where that goes is its own setting, which nobody can ask; here it is ${where}.`)
  if (existsSync(sink.path)) return ok(`${text}; ${where} is there, if it was started with this setting.`)
  return warning(
    `${text}, but there is no ${where}: it was started with another setting, or on another machine. Look at its TENURE_AUDIT_CHECKPOINTS.`,
  )
}

/** Of a text as Prometheus reads it; undefined where there is none, or no text. */
function metricIn(text: string | undefined, name: string): number | undefined {
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text ?? '')?.[1]
  return value === undefined ? undefined : Number(value)
}

function kidsIn(text: string | undefined): string[] | undefined {
  try {
    const { keys } = JSON.parse(text ?? '') as { keys: readonly { kid: unknown }[] }
    return keys.map(({ kid }) => String(kid))
  } catch {
    return undefined
  }
}

/** Who listens everywhere is reached here. */
function reachable({ host, port }: ListenAddress): string {
  return formatListenAddress({ host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port })
}

function isListening({ host, port }: ListenAddress): Promise<boolean> {
  if (port === 0) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = connect({ host: host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host, port })
    const end = (listening: boolean) => {
      socket.destroy()
      resolve(listening)
    }
    socket.setTimeout(answerTimeoutMs, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

const maxAnswerBytes = 4 * 1024 * 1024

/**
 * Undefined where nobody answers in time. What is asked is open to everybody and nothing is sent, so that a certificate
 * made out to another name is no reason to know less.
 */
async function answerOf(url: string): Promise<{ readonly status: number; readonly text: string } | undefined> {
  const signal = AbortSignal.timeout(answerTimeoutMs)
  const { get } = url.startsWith('https:') ? https : http
  try {
    const incoming = await new Promise<http.IncomingMessage>((resolve, reject) => {
      get(url, { signal, agent: false, rejectUnauthorized: false } as https.RequestOptions, resolve).on('error', reject)
    })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of incoming) {
      bytes += chunk.length
      if (bytes > maxAnswerBytes) return undefined
      chunks.push(chunk)
    }
    return { status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }
  } catch {
    return undefined
  }
}
