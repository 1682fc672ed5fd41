import { startMysql } from '../rigs/mysql/start-mysql.ts'

/**
 * One MySQL for the whole run, started by the test runner; each server under test has a database of its own in it. Whoever
 * names another in TENURE_TEST_MYSQL, with an account that may do everything there, runs the tests on that.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TENURE_TEST_MYSQL !== undefined) return undefined
  try {
    const mysql = await startMysql()
    process.env.TENURE_TEST_MYSQL = `mysql://${mysql.user}@${mysql.host}:${mysql.port}`
    return async () => mysql[Symbol.asyncDispose]()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(`\nCOULD NOT START MySQL: every test that needs it will fail: ${why}\n`)
    return undefined
  }
}
