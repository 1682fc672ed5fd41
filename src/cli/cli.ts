import { Command, CommanderError } from 'commander'
import { settingsTable } from '../config/settings-table.ts'
import { productVersion } from '../version.ts'
import { bootstrapCommand } from './bootstrap-command.ts'
import { callCommand } from './call-command.ts'
import { doctorCommand } from './doctor-command.ts'
import { addGuardDdl } from './guard-command.ts'
import { migrateCommand } from './migrate-command.ts'
import { recodeCommand } from './recode-command.ts'
import { restoredCommand } from './restored-command.ts'
import { serveCommand } from './serve-command.ts'
import { type VerifyCheckpointsOptions, verifyCheckpointsCommand } from './verify-checkpoints-command.ts'
import { verifyReportCommand } from './verify-report-command.ts'

/** Runs one command line. Answers the exit code; throws what stops a start. `stop` asks a server to drain. */
export async function runCli(argv: readonly string[], stop: AbortSignal): Promise<number> {
  let exitCode = 0
  const program = new Command('tenure')
    .description('Tenure: tenants, workspaces, members, roles, and one answer to who may do what, where.')
    .version(productVersion)
    .exitOverride()
    .showHelpAfterError('Run with --help to see an example.')
  const command = (name: string, description: string, example: string) =>
    program.command(name).description(description).exitOverride().addHelpText('after', `\nExample:\n  ${example}`)
  const finish = (work: Promise<number>) =>
    work.then((code) => {
      exitCode = code
    })
  serverCommands(command, finish, stop)
  toolCommands(command, finish)
  try {
    await program.parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    throw error
  }
  return exitCode
}

type AddCommand = (name: string, description: string, example: string) => Command
type Finish = (work: Promise<number>) => Promise<void>

/** What runs, makes or changes an installation. */
function serverCommands(command: AddCommand, finish: Finish, stop: AbortSignal): void {
  command('serve', 'Start the server.', 'TENURE_GRPC_ADDRESS=127.0.0.1:7080 tenure serve').action(() =>
    finish(serveCommand(stop)),
  )
  command('bootstrap', 'Make the root service account and its API key, once.', 'tenure bootstrap').action(() =>
    finish(bootstrapCommand()),
  )
  command(
    'settings',
    'Print every setting, its default and its meaning, as a Markdown table.',
    'tenure settings',
  ).action(() => {
    process.stdout.write(settingsTable())
  })
  command(
    'restored',
    'Tell the database that it was restored: revisions handed out before are lost from now on.',
    'tenure restored',
  ).action(() => finish(restoredCommand()))
  command(
    'recode',
    'Give the rows that grant power new codes, as they stand, where the key of their codes was lost. Look at them first.',
    'tenure recode',
  ).action(() => finish(recodeCommand()))
  command('migrate', 'Show or apply database migrations.', 'tenure migrate plan')
    .argument('<action>', 'up, status or plan')
    .option('-o, --output <format>', 'text or json', 'text')
    .action((action: string, options: { output: string }) => finish(migrateCommand(action, options.output)))
}

/** What asks an installation, or needs none. */
function toolCommands(command: AddCommand, finish: Finish): void {
  command('doctor', 'Look at everything a server needs, and say what to do about it.', 'tenure doctor')
    .option('-o, --output <format>', 'text or json', 'text')
    .action((options: { output: string }) => finish(doctorCommand(options.output)))
  command(
    'verify-report',
    'Check the signature of an isolation report, offline, and print what it says.',
    'tenure verify-report report.json --keys jwks.json',
  )
    .argument('<file>', 'the answer of GetIsolationReport, or its signed_report; - reads it from standard input')
    .requiredOption('-k, --keys <file or url>', 'the JWK set of the installation')
    .option('-o, --output <format>', 'text or json', 'text')
    .action((file: string, options: { keys: string; output: string }) => finish(verifyReportCommand(file, options)))
  command(
    'verify-checkpoints',
    'Check audit checkpoints that were kept outside the database, and what the chains of a server have become since.',
    'tenure verify-checkpoints audit-checkpoints.jsonl --keys jwks.json --against http://127.0.0.1:7081',
  )
    .argument('<files...>', 'what TENURE_AUDIT_CHECKPOINTS wrote, of every server; - reads it from standard input')
    .requiredOption('-k, --keys <file or url>', 'the JWK set of the installation, as it was kept')
    .option('-a, --against <url>', 'HTTP address of a server whose chains are compared')
    .option('--key-file <file>', 'file that holds the API key (default: the root key file)')
    .option(
      '--restored <numbers>',
      'checkpoints that the database was put back to by a restore you know of, with commas',
    )
    .option('-o, --output <format>', 'text or json', 'text')
    .action((files: string[], options: VerifyCheckpointsOptions) => finish(verifyCheckpointsCommand(files, options)))
  command(
    'call',
    'Call any RPC of a running server with a JSON request.',
    `tenure call TenantService/CreateTenant '{"tenant_id": "acme"}'`,
  )
    .argument('<method>', 'Service/Method')
    .argument('[json]', 'the request; - reads it from standard input', '{}')
    .option('-a, --address <url>', 'HTTP address of the server')
    .option('-k, --key-file <file>', 'file that holds the API key (default: the root key file)')
    .action((method: string, json: string, options: { address?: string; keyFile?: string }) =>
      finish(callCommand(method, json, options)),
    )
  addGuardDdl(command('guard', 'Print what keeps tenants apart in databases of your own.', 'tenure guard ddl --help'))
}
