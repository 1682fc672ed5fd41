import type { Connection, RowDataPacket } from 'mysql2/promise'
import { decodeRevision } from '../../src/base/revision.ts'
import { authorityChain, chainHash } from '../../src/tenancy/audit-chain.ts'
import type { Outcome, Settled } from './crash-client.ts'
import type { PlannedWrite, Realm } from './crash-model.ts'

/** What of the journal was found, as far as it was read. */
interface FoundRow {
  readonly sequence: number
  readonly revision: number
  readonly event: string
  readonly target: string
  readonly hasRequestId: boolean
}

/** Rows of one table of the ledger that holds this realm. */
function tablesOf({ slug }: Realm): { readonly journal: string; readonly heads: string } {
  return slug === ''
    ? { journal: 'directory_journal', heads: 'directory_heads' }
    : { journal: 'journal', heads: 'tenant_heads' }
}

/**
 * Compares the new part of a realm's journal with what was sent: no gap, no broken hash, one row for each write that was
 * acknowledged, none for one that was refused, at most one for one that nobody answered, and the head at its end. Takes
 * over into the model what the journal says.
 */
export async function compareJournal(door: Connection, realm: Realm, settled: readonly Settled[]): Promise<string[]> {
  const broken: string[] = []
  const { rows, head } = await readNews(door, realm, broken)
  const found = new Map(rows.map((row) => [row.revision, row]))
  for (const each of settled) broken.push(...compareWrite(realm, each, found))
  for (const { write, outcomes } of settled) {
    if (!outcomes.some(({ kind }) => kind === 'unanswered')) continue
    realm.unanswered.push(write)
    for (const thing of write.touches) thing.uncertain = true
  }
  for (const row of found.values()) {
    const at = realm.unanswered.findIndex((write) => isOf(row, write))
    const [write] = at === -1 ? [] : realm.unanswered.splice(at, 1)
    if (write === undefined) broken.push(`nobody sent, or it is done twice: ${told(realm, row)}`)
    else {
      write.takeEffect()
      for (const thing of write.touches) thing.uncertain = false
    }
  }
  if (head.revision !== realm.sequence || head.sequence !== realm.sequence || !head.hash.equals(realm.hash)) {
    broken.push(
      `the head of ${nameOf(realm)} is at ${head.revision}/${head.sequence}, its journal at ${realm.sequence}`,
    )
  }
  return broken
}

async function readNews(door: Connection, realm: Realm, broken: string[]) {
  const { journal, heads } = tablesOf(realm)
  const [rows] = await door.query<RowDataPacket[]>(
    `SELECT sequence, revision, event, target, record, hash, idempotency_key IS NOT NULL AS has_request_id FROM ${journal}
     WHERE tenant_id = ? AND chain = ? AND sequence > ? ORDER BY sequence`,
    [realm.id, authorityChain, realm.sequence],
  )
  const found: FoundRow[] = []
  for (const row of rows) {
    const { sequence, revision, event, target } = row as unknown as FoundRow
    const hash = Buffer.from(chainHash(realm.hash, row.record))
    if (sequence !== realm.sequence + 1 || revision !== sequence || !hash.equals(row.hash)) {
      broken.push(`the chain of ${nameOf(realm)} breaks at ${sequence}, revision ${revision}, behind ${realm.sequence}`)
    }
    realm.sequence = sequence
    realm.hash = row.hash
    found.push({ sequence, revision, event, target, hasRequestId: row.has_request_id === 1 })
  }
  const [[head]] = await door.query<RowDataPacket[]>(
    `SELECT revision, sequence, chain_hash FROM ${heads} WHERE tenant_id = ?`,
    [realm.id],
  )
  return { rows: found, head: { revision: head?.revision, sequence: head?.sequence, hash: head?.chain_hash as Buffer } }
}

/** Takes the row of an acknowledged write out of `found`. */
function compareWrite(realm: Realm, settled: Settled, found: Map<number, FoundRow>): string[] {
  const { write, outcomes } = settled
  const what = `${write.event} ${write.target} (${write.requestId === '' ? 'no request id' : write.requestId})`
  const broken = outcomes.flatMap((outcome) => wrongAnswer(write, outcome)).map((wrong) => `${what}: ${wrong}`)
  const revisions = new Set(outcomes.flatMap((each) => (each.kind === 'acknowledged' ? [each.revision] : [])))
  if (revisions.size > 1) broken.push(`${what}: its copies were answered with ${revisions.size} revisions`)
  for (const token of revisions) {
    const decoded = decodeRevision(token)
    const revision = realm.slug === '' ? decoded?.directoryRevision : decoded?.tenantRevision
    const row = found.get(revision ?? -1)
    if (row === undefined || !isOf(row, write)) {
      broken.push(`${what}: acknowledged as revision ${revision}, where the journal has ${told(realm, row)}`)
      continue
    }
    found.delete(row.revision)
    write.takeEffect()
    realm.revision = newer(realm.revision, token)
  }
  return broken
}

function newer(known: string, token: string): string {
  const revisionOf = (each: string) => decodeRevision(each)?.tenantRevision ?? -1
  return revisionOf(token) > revisionOf(known) ? token : known
}

function isOf(row: FoundRow, { event, target, requestId }: PlannedWrite): boolean {
  return row.event === event && row.target === target && row.hasRequestId === (requestId !== '')
}

/** Whether this answer may be given to this write at all; rivals are looked at as a pair. */
function wrongAnswer(write: PlannedWrite, outcome: Outcome): string[] {
  if (outcome.kind === 'unanswered') {
    return write.requestId === '' ? [] : [`not acknowledged in time, last ${outcome.last}`]
  }
  if (outcome.kind === 'acknowledged') {
    return write.refusal === undefined ? [] : [`acknowledged, and had to be refused with ${write.refusal}`]
  }
  const rivalled = write.rival !== undefined && outcome.reason === 'ETAG_MISMATCH'
  return rivalled || outcome.reason === write.refusal ? [] : [`refused with ${outcome.reason}`]
}

/** Of two writes on one state of one thing, one is done and the other refused. */
export function compareRivals(settled: readonly Settled[]): string[] {
  const done = new Map(settled.map(({ write, outcomes }) => [write, outcomes.every(isAcknowledged)]))
  return settled.flatMap(({ write }) => {
    if (write.rival === undefined || done.get(write) !== done.get(write.rival)) return []
    return [
      `${write.event} ${write.target}: of two on one state ${done.get(write) === true ? 'both were' : 'none was'} done`,
    ]
  })
}

function isAcknowledged({ kind }: Outcome): boolean {
  return kind === 'acknowledged'
}

export function nameOf({ slug }: Realm): string {
  return slug === '' ? 'the directory' : `tenants/${slug}`
}

function told(realm: Realm, row: FoundRow | undefined): string {
  return row === undefined ? 'nothing' : `${row.event} ${row.target} at ${row.sequence} of ${nameOf(realm)}`
}
