import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { EntityManager } from 'typeorm'
import type { Ids } from '../base/ids.ts'
import { encodeRevision } from '../base/revision.ts'
import type { Database, Written } from '../storage/database.ts'
import { appendJournal } from './append-journal.ts'
import { authorityChain } from './audit-chain.ts'
import {
  type Attempt,
  advanceHead,
  type ChainEnd,
  type ChangeLog,
  type Head,
  isCommitted,
  type Ledger,
  storedAnswer,
} from './ledger.ts'
import type { Actor } from './tenant-context.ts'

/** What a unit of work is told before it begins. */
export interface Mutation<O extends DescMessage> {
  /** The name it is audited under, e.g. `memberships.delete`. */
  readonly event: string
  /** Resource name of what is changed; `Unit.target` may say it better once it is known. */
  readonly target: string
  readonly idempotency: { readonly key: Uint8Array; readonly requestHash: Uint8Array } | undefined
  /** The response of the method: its bytes are kept for a repeated request id. */
  readonly response: O
  /** Does everything, then rolls back: nothing is written, not even the audit event. */
  readonly validateOnly: boolean
  /** Aborted when nobody waits for the answer any more: a unit that has not begun by then is not begun. */
  readonly signal?: AbortSignal
  /** Units of the directory: checks the caller's admission again, under the lock. Throws what the admission would throw now. */
  readonly readmit?: (() => Promise<void>) | undefined
  /** What a repeated request id is answered with, where that differs: values shown once are never stored. */
  readonly replay?: (answer: MessageShape<O>) => MessageShape<O>
}

/** What the closure of a unit of work may use. It does no I/O but through its rows. */
export interface UnitCore {
  /** The time of everything this unit writes. */
  readonly now: Date
  readonly head: Head
  /** The token of the revision that this unit makes; of one that makes none: of the tenant's present one. */
  readonly revision: string
  /** Adds a fact to the audit event. Never a secret, never a person's data. */
  note(key: string, value: string | number | boolean | readonly string[]): void
  target(name: string): void
}

/** Where a unit stands among all others: the chain its event goes on, and the revision. */
export interface UnitOrder {
  readonly chain: string
  /** Locked. */
  readonly end: ChainEnd
  /** Of the tenant, as soon as this unit is committed. */
  readonly revision: number
  /** Whether it is this unit that makes it. */
  readonly makesRevision: boolean
  advance(end: ChainEnd): Promise<void>
}

/** Of a unit of authority: the only one of its tenant, because it holds the head. */
export function orderOfAuthority(manager: EntityManager, ledger: Ledger, head: Head): UnitOrder {
  const revision = head.revision + 1
  return {
    ...{ chain: authorityChain, end: head, revision, makesRevision: true },
    advance: (end) => advanceHead(manager, ledger, head, end, revision),
  }
}

export interface UnitRun<O extends DescMessage> {
  readonly manager: EntityManager
  readonly ledger: Ledger
  readonly head: Head
  readonly order: UnitOrder
  readonly mutation: Mutation<O>
  readonly actor: Actor
  readonly workspaceId: string
  readonly now: Date
  readonly ids: Ids
  readonly changes: ChangeLog
  /** Throws when what is to be changed is in no state for it. */
  readonly checkState: () => void
  /** The directory's revision for the token; the directory's own units pass the one they make. */
  readonly directoryRevision: number
}

export interface UnitResult<O extends DescMessage> {
  readonly answer: MessageShape<O>
  /** What was made; undefined when nothing was: a replay, or validate_only. */
  readonly made: { readonly revision: number; readonly attempt: Attempt; readonly chainHash: Uint8Array } | undefined
}

/**
 * The part of a unit of work that is the same for tenants and the directory, authority and volume, after the head is
 * locked: answer a repeated request, run the closure, write one journal row, advance its chain. Everything stands or falls
 * with one transaction.
 */
export async function runUnit<O extends DescMessage>(
  run: UnitRun<O>,
  closure: (unit: UnitCore) => Promise<MessageShape<O>>,
): Promise<UnitResult<O>> {
  const { manager, ledger, head, order, mutation } = run
  if (mutation.idempotency !== undefined) {
    const stored = await storedAnswer(manager, ledger, head.tenantId, mutation.idempotency)
    if (stored !== undefined) return { answer: fromBinary(mutation.response, stored), made: undefined }
  }
  // After the look for a stored answer: a repeated deletion finds its tenant deleted, by itself.
  run.checkState()
  const details: Record<string, string | number | boolean | readonly string[]> = {}
  let target = mutation.target
  const answer = await closure({
    now: run.now,
    head,
    revision: encodeRevision({
      directoryRevision: run.directoryRevision,
      tenantId: head.tenantId,
      timelineId: head.timelineId,
      placementEpoch: head.placementEpoch,
      tenantRevision: order.revision,
    }),
    note: (key, value) => {
      details[key] = value
    },
    target: (name) => {
      target = name
    },
  })
  if (mutation.validateOnly) return { answer, made: undefined }
  const attemptId = run.ids.next()
  const end = await appendJournal(manager, ledger, head.tenantId, order.end, {
    chain: order.chain,
    eventId: run.ids.next(),
    eventTime: run.now,
    workspaceId: run.workspaceId,
    event: mutation.event,
    target,
    actor: run.actor,
    denied: false,
    reason: '',
    details,
    revision: order.makesRevision ? order.revision : 0,
    changes: run.changes,
    attemptId,
    idempotencyKey: mutation.idempotency?.key ?? null,
    requestHash: mutation.idempotency?.requestHash ?? null,
    answer: mutation.idempotency === undefined ? null : answerToKeep(mutation, answer),
  })
  await order.advance(end)
  const attempt = { tenantId: head.tenantId, chain: order.chain, sequence: end.sequence, attemptId }
  return { answer, made: { revision: order.revision, attempt, chainHash: end.chainHash } }
}

/** What the database is told of a unit: whether to commit it, and how to find out whether it did. */
export function keeping(
  { made }: UnitResult<DescMessage>,
  ledger: Ledger,
  { rowLock }: Pick<Database, 'rowLock'>,
): Omit<Written<unknown>, 'value'> {
  if (made === undefined) return { keep: false }
  return { keep: true, wasCommitted: (manager) => isCommitted(manager, ledger, made.attempt, rowLock.forUpdate) }
}

function answerToKeep<O extends DescMessage>(mutation: Mutation<O>, answer: MessageShape<O>): Uint8Array {
  return toBinary(mutation.response, mutation.replay === undefined ? answer : mutation.replay(answer))
}
