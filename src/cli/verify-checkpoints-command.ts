import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { StartError } from '../base/start-error.ts'
import { loadProcessConfig } from '../config/process-config.ts'
import { AuditService } from '../gen/tenure/v1/audit_service_pb.ts'
import { readApiKey } from './api-key-file.ts'
import { CheckpointReader, type CheckpointSeries, type KeptChain, nameOf } from './checkpoint-series.ts'
import { readVerificationKeys } from './signing-keys-file.ts'

export interface VerifyCheckpointsOptions {
  /** A file or an address of a JWK set. */
  readonly keys: string
  /** HTTP address of a server to compare with; undefined: the series alone is looked at. */
  readonly against?: string
  readonly keyFile?: string
  /** Numbers of checkpoints, with commas, that the database was put back to by somebody who may do that. */
  readonly restored?: string
  readonly output: string
}

interface Compared {
  readonly chains: number
  readonly purged: number
  readonly problems: readonly string[]
}

/**
 * Checks checkpoints that were kept outside: each signature, that none is missing, that no chain went back; and, with
 * `against`, that the chains of a server still go through every point kept of them. Answers 1 where something is wrong.
 */
export async function verifyCheckpointsCommand(
  files: readonly string[],
  options: VerifyCheckpointsOptions,
): Promise<number> {
  const { keys, against, keyFile, restored, output } = options
  if (output !== 'text' && output !== 'json') throw new StartError('The output is text or json.')
  const reader = new CheckpointReader(await readVerificationKeys(keys))
  for (const file of files) await readLines(file, reader)
  const series = reader.series(restored === undefined ? [] : numbersIn(restored))
  if (series.count === 0 && series.problems.length === 0) {
    throw new StartError('There is no checkpoint in it. Give what TENURE_AUDIT_CHECKPOINTS wrote or sent.')
  }
  const compared =
    against === undefined ? undefined : await compare(series.chains, auditClient(against, keyFile), against)
  const problems = [...series.problems, ...(compared?.problems ?? [])]
  process.stdout.write(output === 'json' ? asJson(series, compared, problems) : asText(series, compared, problems))
  return problems.length === 0 ? 0 : 1
}

function numbersIn(text: string): number[] {
  const numbers = text.split(',').map((word) => (/^\d+$/.test(word.trim()) ? Number(word) : Number.NaN))
  if (numbers.every(Number.isSafeInteger)) return numbers
  throw new StartError(
    `--restored takes numbers of checkpoints, such as 60 or 60,112, and not ${JSON.stringify(text)}.`,
  )
}

async function readLines(file: string, reader: CheckpointReader): Promise<void> {
  const input = file === '-' ? process.stdin : createReadStream(file)
  let at = 0
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      at += 1
      await reader.add(line, `Line ${at} of ${file}`)
    }
  } catch {
    throw new StartError(`${file} cannot be read. Name a file, or - for standard input.`)
  }
}

type Audit = Client<typeof AuditService>

function auditClient(baseUrl: string, keyFile: string | undefined): Audit {
  const key = readApiKey(keyFile ?? loadProcessConfig().rootKeyFile)
  return createClient(
    AuditService,
    createConnectTransport({
      ...{ baseUrl, httpVersion: '1.1', useBinaryFormat: true },
      interceptors: [
        (next) => (request) => {
          request.header.set('authorization', `Bearer ${key}`)
          return next(request)
        },
      ],
    }),
  )
}

async function compare(chains: readonly KeptChain[], audit: Audit, address: string): Promise<Compared> {
  const problems: string[] = []
  let purged = 0
  for (const [at, chain] of chains.entries()) {
    progress(at, chains.length)
    const verdict = await verdictOf(audit, chain).catch((error) => Promise.reject(inWords(error, address)))
    if (verdict === 'purged') purged += 1
    else if (verdict !== undefined) problems.push(`${nameOf(chain)}, is not what was signed for. ${verdict}`)
  }
  progress(chains.length, chains.length)
  return { chains: chains.length, purged, problems }
}

/** As many as VerifyAuditChain takes at once. */
const maxPoints = 1_000

/** Undefined: it is what it must be. */
async function verdictOf(audit: Audit, { tenant, chain, points }: KeptChain): Promise<string | undefined> {
  const known = points.filter(({ sequence }) => sequence > 0)
  try {
    for (let at = 0; at === 0 || at < known.length; at += maxPoints) {
      const knownPoints = known.slice(at, at + maxPoints)
      const { valid, problem } = await audit.verifyAuditChain({
        ...{ parent: tenant, chain },
        knownPoints: knownPoints.map(({ sequence, hash }) => ({ sequence: BigInt(sequence), hash })),
      })
      if (!valid) return problem
    }
    return undefined
  } catch (error) {
    if (ConnectError.from(error).code !== Code.NotFound) throw error
    if (await isThere(audit, tenant)) return 'It is not there any more, and its tenant is.'
    const filter = `event = "tenants.purged" AND target = "${tenant}"`
    const { auditEvents } = await audit.listAuditEvents({ filter, pageSize: 1 })
    return auditEvents.length > 0
      ? 'purged'
      : 'It is not there any more, and no purge of its tenant has come to its end.'
  }
}

/** A purged tenant has no chain at all; one that has its own is not purged, whatever an event says. */
async function isThere(audit: Audit, tenant: string): Promise<boolean> {
  try {
    await audit.verifyAuditChain({ parent: tenant, chain: 'authority' })
    return true
  } catch (error) {
    if (ConnectError.from(error).code !== Code.NotFound) throw error
    return false
  }
}

function inWords(error: unknown, address: string): unknown {
  const { rawMessage, code } = ConnectError.from(error)
  if (/ECONNREFUSED|ENOTFOUND|EHOSTUNREACH/.test(rawMessage)) return new StartError(`No server answers at ${address}.`)
  return new StartError(`The server at ${address} refused the question: ${Code[code]}: ${rawMessage}`)
}

function progress(done: number, of: number): void {
  if (process.stderr.isTTY !== true) return
  process.stderr.write(done === of ? '\r\u001b[K' : `\rcomparing chain ${done + 1} of ${of}`)
}

function asJson(series: CheckpointSeries, compared: Compared | undefined, problems: readonly string[]): string {
  const { count, first, last, newestTimeMs, kids, chains, putBack } = series
  return `${JSON.stringify(
    {
      count,
      first,
      last,
      newestTimeMs,
      kids,
      putBack,
      chains: chains.length,
      compared: compared?.chains ?? 0,
      problems,
    },
    null,
    2,
  )}\n`
}

function asText(series: CheckpointSeries, compared: Compared | undefined, problems: readonly string[]): string {
  const { count, first, last, newestTimeMs, kids, chains, putBack } = series
  const tenants = new Set(chains.map(({ tenantUid }) => tenantUid))
  const rows = [
    ['checkpoints', `${count}, from ${first} to ${last}`],
    ...(putBack === 0 ? [] : [['put back', `${putBack} of them are from before the database was restored`]]),
    ['newest', newestTimeMs === 0 ? 'none' : new Date(newestTimeMs).toISOString()],
    ['chains', `${chains.length}, of ${tenants.size} tenants, the platform among them`],
    ['signed with', kids.join(', ') || 'nothing known'],
    ...(compared === undefined ? [] : [['compared', `${compared.chains} chains, ${compared.purged} of them purged`]]),
    ['problems', String(problems.length)],
  ]
  const lines = rows.map(([name = '', text = '']) => `${name.padEnd(11)}  ${text}`)
  return `${[...lines, ...(problems.length === 0 ? [] : ['']), ...problems].join('\n')}\n`
}
