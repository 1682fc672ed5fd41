import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, integerColumn, jsonColumn, textColumn, timeColumn } from '../base/columns.ts'

/** One row, four jobs: the audit event, the change log, the attempt, the answer to a repeated request. */
export interface JournalRow {
  readonly feedId: number
  readonly tenantId: string
  readonly chain: string
  readonly sequence: number
  readonly eventId: string
  readonly workspaceId: string
  readonly eventTime: Date
  readonly principal: string
  readonly event: string
  readonly target: string
  readonly record: Uint8Array
  readonly hash: Uint8Array
  readonly revision: number
  readonly changes: readonly (readonly [table: string, workspaceId: string, id: string])[] | null
  readonly attemptId: string | null
  readonly idempotencyKey: Uint8Array | null
  readonly requestHash: Uint8Array | null
  readonly answer: Uint8Array | null
}

function journalColumns() {
  return {
    feedId: { name: 'feed_id', type: 'integer' as const, primary: true, generated: 'increment' as const },
    tenantId: asciiColumn('tenantId', 36),
    chain: asciiColumn('chain', 100),
    sequence: integerColumn('sequence'),
    eventId: asciiColumn('eventId', 36),
    workspaceId: asciiColumn('workspaceId', 36),
    eventTime: timeColumn('eventTime'),
    principal: textColumn('principal', 255),
    event: asciiColumn('event', 127),
    target: textColumn('target', 300),
    record: bytesColumn('record'),
    hash: bytesColumn('hash', { length: 32 }),
    revision: integerColumn('revision'),
    changes: jsonColumn('changes', { nullable: true }),
    attemptId: asciiColumn('attemptId', 36, { nullable: true }),
    idempotencyKey: bytesColumn('idempotencyKey', { length: 32, nullable: true }),
    requestHash: bytesColumn('requestHash', { length: 32, nullable: true }),
    answer: bytesColumn('answer', { nullable: true }),
  }
}

function journalIndices(table: string) {
  return [
    { name: `${table}_chain`, columns: ['tenantId', 'chain', 'sequence'], unique: true },
    { name: `${table}_idempotency`, columns: ['tenantId', 'idempotencyKey'], unique: true },
    { name: `${table}_time`, columns: ['tenantId', 'eventTime', 'eventId'] },
  ]
}

export const JournalTable = new EntitySchema<JournalRow>({
  name: 'journal',
  columns: journalColumns(),
  indices: journalIndices('journal'),
})

export const DirectoryJournalTable = new EntitySchema<JournalRow>({
  name: 'directory_journal',
  columns: journalColumns(),
  indices: journalIndices('directory_journal'),
})
