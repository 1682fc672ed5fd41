import type { JournalCommit } from './journal-follower.ts'

/** Up to where the decisions of this process reflect the changes of the directory, whoever made them. */
export class DirectoryHistory {
  readonly #committed: (revision: number, changes: JournalCommit['changes']) => Promise<void>
  /** Changes that came before the ones before them did. */
  readonly #ahead = new Set<number>()
  #following: Promise<void> = Promise.resolve()
  #revision: number
  #timelineId: string

  constructor(
    head: { readonly revision: number; readonly timelineId: string },
    committed: (revision: number, changes: JournalCommit['changes']) => Promise<void>,
  ) {
    this.#revision = head.revision
    this.#timelineId = head.timelineId
    this.#committed = committed
  }

  get revision(): number {
    return this.#revision
  }

  get timelineId(): string {
    return this.#timelineId
  }

  /**
   * Goes on from the head that `read` answers, which it reads before everything else. A change that is heard of meanwhile
   * waits, and comes behind it; where it fails nothing is taken for read.
   */
  reread(read: () => Promise<Parameters<DirectoryHistory['startFrom']>[0]>): Promise<void> {
    const next = this.#following.then(async () => this.startFrom(await read()))
    this.#following = next.catch(() => undefined)
    return next
  }

  /** One change after the other: of two readings of the catalogue the older must not be taken in last. */
  follow(revision: number, changes: JournalCommit['changes']): Promise<void> {
    const next = this.#following.then(() => this.#follow(revision, changes))
    this.#following = next.catch(() => undefined)
    return next
  }

  startFrom({ revision, timelineId }: { readonly revision: number; readonly timelineId: string }): void {
    this.#timelineId = timelineId
    this.#revision = revision
    this.#ahead.clear()
  }

  async #follow(revision: number, changes: JournalCommit['changes']): Promise<void> {
    if (revision <= this.#revision || this.#ahead.has(revision)) return
    await this.#committed(revision, changes)
    if (revision > this.#revision) this.#ahead.add(revision)
    while (this.#ahead.delete(this.#revision + 1)) this.#revision += 1
  }
}
