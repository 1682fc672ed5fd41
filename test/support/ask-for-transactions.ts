import { setTimeout as sleep } from 'node:timers/promises'

const attempts = 200
const pauseMs = 25

/**
 * Asks information_schema.innodb_trx something, and again where MySQL fails the question because it cannot show the statement that
 * some transaction, of whatever database, runs just then: with values in it that are no text, a hash say.
 */
export async function askForTransactions<T>(ask: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask()
    } catch (error) {
      if (tried === attempts || !String(error).includes('Cannot convert string')) throw error
      await sleep(pauseMs)
    }
  }
}
