import { StartError } from '../base/start-error.ts'
import { verifyDocument } from '../jwt/signed-document.ts'
import { fieldsThatDiffer, reportIn, type SignedReport } from './readable-report.ts'
import { readText, readVerificationKeys } from './signing-keys-file.ts'

export interface VerifyReportOptions {
  /** A file or an address of a JWK set. */
  readonly keys: string
  readonly output: string
}

/**
 * Checks the signature of an isolation report and prints what it says. Asks nobody but where the keys are. Answers 1 for a
 * report that is not what was signed, or that shows something else beside its signature; 2 for one that says isolation is
 * not as it must be.
 */
export async function verifyReportCommand(file: string, { keys, output }: VerifyReportOptions): Promise<number> {
  if (output !== 'text' && output !== 'json') throw new StartError('The output is text or json.')
  const { signedReport, readable } = reportIn(readText(file === '-' ? 0 : file, file))
  const known = await readVerificationKeys(keys)
  const verified = await verifyDocument('tenure-isolation-report', signedReport, (kid) => known.get(kid))
  if (verified === undefined) {
    process.stderr.write(
      `${file} is not what any of these keys signed: it was changed, or is of another installation.\n`,
    )
    return 1
  }
  const report = verified.document as SignedReport
  const changed = readable === undefined ? [] : fieldsThatDiffer(readable, report)
  if (changed.length > 0) {
    process.stderr.write(
      `What ${file} shows is not what was signed; it differs in ${changed.join(', ')}. Believe the signed_report alone: give it by itself to read it.\n`,
    )
    return 1
  }
  process.stdout.write(output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : asText(report, verified.kid))
  return report.outcome === 'PASSED' ? 0 : 2
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
