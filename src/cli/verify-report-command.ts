import { StartError } from '../base/start-error.ts'
import { verifyDocument } from '../jwt/signed-document.ts'
import { readText, readVerificationKeys } from './signing-keys-file.ts'

export interface VerifyReportOptions {
  /** A file or an address of a JWK set. */
  readonly keys: string
  readonly output: string
}

/** What a signed report says of one probe; everything else in it is passed through. */
interface SignedProbe {
  readonly probe: string
  readonly outcome: string
  readonly checkedCount: number
  readonly findingCount: number
}

interface SignedReport {
  readonly reportId: string
  readonly outcome: string
  readonly createTimeMs: number
  readonly tenantCount: number
  readonly serverVersion: string
  readonly probes: readonly SignedProbe[]
}

/**
 * Checks the signature of an isolation report and prints what it says. Asks nobody but where the keys are. Answers 1 for a
 * report that is not what was signed, 2 for one that says isolation is not as it must be.
 */
export async function verifyReportCommand(file: string, { keys, output }: VerifyReportOptions): Promise<number> {
  if (output !== 'text' && output !== 'json') throw new StartError('The output is text or json.')
  const jws = signedReportIn(readText(file === '-' ? 0 : file, file))
  const known = await readVerificationKeys(keys)
  const verified = await verifyDocument('tenure-isolation-report', jws, (kid) => known.get(kid))
  if (verified === undefined) {
    process.stderr.write(
      `${file} is not what any of these keys signed: it was changed, or is of another installation.\n`,
    )
    return 1
  }
  const report = verified.document as SignedReport
  process.stdout.write(output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : asText(report, verified.kid))
  return report.outcome === 'PASSED' ? 0 : 2
}

/** The JWS by itself, or the JSON of an IsolationReport or of the answer it came in. */
function signedReportIn(text: string): string {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return trimmed
  const found = /"signed_?[rR]eport"\s*:\s*"([^"]+)"/.exec(trimmed)?.[1]
  if (found === undefined)
    throw new StartError('There is no signed_report in it. Give what GetIsolationReport answers.')
  return found
}

function asText(
  { reportId, outcome, createTimeMs, tenantCount, serverVersion, probes }: SignedReport,
  kid: string,
): string {
  const title = [
    `isolationReports/${reportId}: ${outcome}`,
    `${new Date(createTimeMs).toISOString()}, ${tenantCount} tenants, server ${serverVersion}`,
    `signed with ${kid}`,
  ]
  const rows = [
    ['probe', 'outcome', 'checked', 'findings'],
    ...probes.map((each) => [each.probe, each.outcome, String(each.checkedCount), String(each.findingCount)]),
  ]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  )
  return `${[...title, '', ...lines].join('\n')}\n`
}
