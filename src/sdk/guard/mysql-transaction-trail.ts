const begins = /^\s*(?:begin|start\s+transaction)\b/i
const ends = /^\s*(?:commit|rollback)\s*$/i
/** How the next transaction of the session is to be, whoever begins it. */
const setsNext = /^\s*set\s+transaction\b/i

/**
 * What the statements of one lease may have left behind at the server. They are counted as they are sent: an answer tells
 * of what went before its statement, and nothing of what was sent behind it while it was on its way.
 */
export class MysqlTransactionTrail {
  #sent = 0
  /** The last of its kind that is not known to have been ended or used up; 0 where there is none. */
  #begun = 0
  #nextSet = 0

  /** To be called as a statement is sent; what it answers, once the server has said that it was done. */
  sent(sql: string): () => void {
    this.#sent += 1
    const at = this.#sent
    if (begins.test(sql)) {
      this.#begun = at
      return () => {
        // It belongs to this transaction now, and ends with it.
        if (this.#nextSet < at) this.#nextSet = 0
      }
    }
    if (setsNext.test(sql)) this.#nextSet = at
    return () => {
      if (ends.test(sql) && this.#begun < at) this.#begun = 0
    }
  }

  /** What has to run, one after another, before somebody else gets the connection. */
  get cleaning(): readonly string[] {
    // Beginning would commit what is open, so that is rolled back first.
    if (this.#nextSet > 0) return ['ROLLBACK', 'START TRANSACTION', 'ROLLBACK']
    return this.#begun > 0 ? ['ROLLBACK'] : []
  }
}
