import { installMysql } from './mysql/install-mysql.ts'

// The part of `make rigs` that no package manager does for the system.
try {
  await installMysql()
} catch (error) {
  const why = error instanceof Error ? error.message : String(error)
  process.stderr.write(`make rigs: COULD NOT INSTALL MySQL: tests that need it will fail: ${why}\n`)
}
