import { systemClock } from '../base/clock.ts'
import { loadProcessConfig } from '../config/process-config.ts'
import { type MigrationStatus, migrateSqlite, sqliteMigrationStatus } from '../storage/sqlite/migrate-sqlite.ts'
import { claimSqliteFile, StartError } from '../storage/sqlite/sqlite-file.ts'

/** `up` applies what is missing, `status` shows all, `plan` shows what `up` would apply. */
export async function migrateCommand(action: string, output: string): Promise<number> {
  if (action !== 'up' && action !== 'status' && action !== 'plan') {
    throw new StartError(`migrate takes up, status or plan, not ${JSON.stringify(action)}.`)
  }
  const config = loadProcessConfig()
  using file = claimSqliteFile(config.database.file)
  const before = sqliteMigrationStatus(file.path)
  if (action === 'up') {
    const applied = new Set(migrateSqlite(file.path, systemClock))
    const rows = sqliteMigrationStatus(file.path).filter(({ number }) => applied.has(number))
    print(rows, output, 'Nothing to apply.')
    return 0
  }
  const missing = before.filter(({ applyTime }) => applyTime === undefined)
  print(action === 'plan' ? missing : before, output, 'Nothing to apply.')
  return 0
}

function print(rows: readonly MigrationStatus[], output: string, none: string): void {
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(rows)}\n`)
    return
  }
  const lines = rows.map(
    ({ number, name, role, applyTime }) =>
      `${String(number).padStart(4, '0')}  ${role.padEnd(9)}  ${name.padEnd(24)}  ${applyTime ?? 'not applied'}`,
  )
  process.stdout.write(`${lines.length === 0 ? none : lines.join('\n')}\n`)
}
