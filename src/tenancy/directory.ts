import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { EntityManager } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { type Ids, nilUuid, platformTenantId } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { chainStart } from './audit-chain.ts'
import { DirectoryHistory } from './directory-history.ts'
import type { JournalCommit } from './journal-follower.ts'
import { type ChangeLog, directoryLedger, type Head, lockHead } from './ledger.ts'
import { assertOutsidePlaces } from './place-check.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import { type PlatformReadScope, platformScope } from './platform-scope.ts'
import type { RowCodes } from './row-codes.ts'
import type { Actor } from './tenant-context.ts'
import { codesOfReader, codesOfUnit } from './unit-codes.ts'
import { keeping, type Mutation, orderOfAuthority, runUnit, type UnitCore } from './unit-of-work.ts'
import type { WriteTurns } from './write-turns.ts'

export interface PlatformUnit extends UnitCore, PlatformReadScope {}

/** The directory under the rules of the kernel: reached with a capability, written in units with a head, a chain and a revision of their own. */
export interface Directory {
  /** Decisions of this process reflect every change of the directory up to this revision. */
  revision(): number
  /** To be called with every change another server made; does nothing for one that is known. Resolves when decisions reflect it. */
  follow(revision: number, changes: JournalCommit['changes']): Promise<void>
  timelineId(): string
  /** The head as it is committed at this moment: what its revision is, and on which timeline. */
  readHead(): Promise<Pick<Head, 'revision' | 'timelineId'>>
  /** To be called before everything that is decided by is read, and read anew: what was missed up to this head is then in it. */
  startFrom(head: Pick<Head, 'revision' | 'timelineId'>): void
  /** While it serves: `read` reads the head, and then anew what is decided by. Only once it has is that head reached. */
  reread(read: () => Promise<Pick<Head, 'revision' | 'timelineId'>>): Promise<void>
  read<T>(capability: PlatformCapability, work: (scope: PlatformReadScope) => Promise<T>): Promise<T>
  write<O extends DescMessage>(
    capability: PlatformCapability,
    actor: Actor,
    mutation: Mutation<O>,
    closure: (unit: PlatformUnit) => Promise<MessageShape<O>>,
  ): Promise<MessageShape<O>>
  /** Writes that are no event of their own: a projection, a key's envelope. One transaction, no journal row. */
  writeUnlogged<T>(capability: PlatformCapability, work: (scope: PlatformReadScope) => Promise<T>): Promise<T>
}

export interface DirectoryOptions {
  readonly database: Database
  readonly clock: Clock
  readonly ids: Ids
  readonly bootstrap: PlatformCapability<'bootstrap'>
  readonly feed: PlatformCapability<'directory-feed'>
  /** Hears of a change that is committed and could not be taken in yet; the journal will tell of it again. */
  readonly failed: (error: unknown) => void
  /** Resolves when decisions of this process reflect the commit. */
  readonly committed: (revision: number, changes: JournalCommit['changes']) => Promise<void>
  readonly turns: WriteTurns
  /** May be opened later, before the first row that grants power: the key of codes lies in the directory itself. */
  readonly codes: RowCodes
}

/** Opens the directory, and makes its head where there is none yet. */
export async function openDirectory(options: DirectoryOptions): Promise<Directory> {
  const { database } = options
  const history = new DirectoryHistory(await openHead(options), options.committed)
  return {
    revision: () => history.revision,
    timelineId: () => history.timelineId,
    follow: (revision, changes) => history.follow(revision, changes),
    startFrom: (head) => history.startFrom(head),
    reread: (read) => history.reread(read),
    async readHead() {
      const head = await database.read(platformBindingOf(options.feed), (manager) =>
        lockHead(manager, directoryLedger, platformTenantId, ''),
      )
      if (head === undefined) throw new Error('the directory has no head')
      return head
    },
    read(capability, work) {
      assertOutsidePlaces()
      return database.read(platformBindingOf(capability), (manager) =>
        work(platformScope(manager, [], codesOfReader(options.codes))),
      )
    },
    async write(capability, actor, mutation, closure) {
      assertOutsidePlaces()
      const { answer, made, changes } = await options.turns.take(platformTenantId, mutation.signal, () =>
        database.write(platformBindingOf(capability), (manager) => runIn(options, manager, actor, mutation, closure)),
      )
      // Committed is committed: who hears of a failure would do it again.
      if (made !== undefined) await history.follow(made.revision, changes).catch(options.failed)
      return answer
    },
    writeUnlogged(capability, work) {
      assertOutsidePlaces()
      return database.write(platformBindingOf(capability), async (manager) => ({
        value: await work(platformScope(manager, [], codesOfUnit(options.codes))),
        keep: true,
      }))
    },
  }
}

/** One unit on the directory, from the lock of its head to the row of its journal. */
async function runIn<O extends DescMessage>(
  { database, clock, ids, codes }: DirectoryOptions,
  manager: EntityManager,
  actor: Actor,
  mutation: Mutation<O>,
  closure: (unit: PlatformUnit) => Promise<MessageShape<O>>,
) {
  const head = await lockDirectory(manager, database)
  await mutation.readmit?.()
  const changes: ChangeLog = []
  const unitResult = await runUnit(
    {
      ...{ manager, ledger: directoryLedger, head, mutation, actor, ids, changes },
      order: orderOfAuthority(manager, directoryLedger, head),
      checkState: () => undefined,
      workspaceId: nilUuid,
      now: new Date(clock.nowMs()),
      directoryRevision: head.revision + 1,
    },
    (core) => closure({ ...core, ...platformScope(manager, changes, codesOfUnit(codes)) }),
  )
  return { value: { ...unitResult, changes }, ...keeping(unitResult, directoryLedger, database) }
}

async function lockDirectory(manager: EntityManager, database: Database): Promise<Head> {
  const head = await lockHead(manager, directoryLedger, platformTenantId, database.rowLock.forUpdate)
  if (head === undefined) throw new Error('the directory has no head')
  return head
}

async function openHead({ database, bootstrap, ids }: DirectoryOptions): Promise<Head> {
  return database.write(platformBindingOf(bootstrap), async (manager) => {
    const head = await lockHead(manager, directoryLedger, platformTenantId, database.rowLock.forUpdate)
    if (head !== undefined) return { value: head, keep: false }
    const timelineId = ids.next()
    await manager.query(
      'INSERT INTO directory_heads (tenant_id, timeline_id, placement_epoch, revision, sequence, chain_hash) VALUES (?, ?, ?, ?, ?, ?)',
      [platformTenantId, timelineId, 1, 0, 0, chainStart],
    )
    const made: Head = {
      tenantId: platformTenantId,
      timelineId,
      placementEpoch: 1,
      revision: 0,
      sequence: 0,
      chainHash: chainStart,
      state: '',
    }
    return { value: made, keep: true }
  })
}
