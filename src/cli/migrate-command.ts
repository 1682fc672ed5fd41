import { systemClock } from '../base/clock.ts'
import { StartError } from '../base/start-error.ts'
import { loadProcessConfig } from '../config/process-config.ts'
import { applyMigrations, migrationStatus } from '../storage-parts.ts'

/** `up` applies what is missing, `status` shows all, `plan` shows what `up` would apply. */
export async function migrateCommand(action: string, output: string): Promise<number> {
  if (action !== 'up' && action !== 'status' && action !== 'plan') {
    throw new StartError(`migrate takes up, status or plan, not ${JSON.stringify(action)}.`)
  }
  const config = loadProcessConfig()
  const rows = await (action === 'up' ? applyMigrations(config, systemClock) : migrationStatus(config))
  print(action === 'plan' ? rows.filter(({ applyTime }) => applyTime === undefined) : rows, output)
  return 0
}

function print(rows: Awaited<ReturnType<typeof migrationStatus>>, output: string): void {
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(rows)}\n`)
    return
  }
  const lines = rows.map(
    ({ number, name, role, applyTime }) =>
      `${String(number).padStart(4, '0')}  ${role.padEnd(9)}  ${name.padEnd(24)}  ${applyTime ?? 'not applied'}`,
  )
  process.stdout.write(`${lines.length === 0 ? 'Nothing to apply.' : lines.join('\n')}\n`)
}
