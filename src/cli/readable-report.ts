import { create, equals, fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { StartError } from '../base/start-error.ts'
import {
  type IsolationReport,
  IsolationReport_Outcome,
  IsolationReportSchema,
} from '../gen/tenure/v1/isolation_report_pb.ts'

type Outcome = 'PASSED' | 'FAILED' | 'INCOMPLETE'

/** What a signed report says of one probe. */
export interface SignedProbe {
  readonly probe: string
  readonly outcome: Outcome
  readonly checkedCount: number
  readonly findingCount: number
  readonly findings: readonly { kind: string; tenantUid: string; subject: string; description: string }[]
  readonly durationMs: number
  readonly message: string
}

export interface SignedReport {
  readonly reportId: string
  readonly operationId: string
  readonly outcome: Outcome
  readonly createTimeMs: number
  readonly durationMs: number
  readonly tenantCount: number
  readonly serverVersion: string
  readonly schemaVersion: number
  readonly probes: readonly SignedProbe[]
}

/** A file that holds a signature, and beside it what people read of it, which nobody signed. */
export interface ReportFile {
  readonly signedReport: string
  /** Undefined where it holds the signature alone. */
  readonly readable: IsolationReport | undefined
}

/** The JWS by itself, or the JSON of an IsolationReport or of the answer it came in. */
export function reportIn(text: string): ReportFile {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return { signedReport: trimmed, readable: undefined }
  let found: JsonObject[]
  try {
    found = reportsIn(JSON.parse(trimmed) as JsonValue)
  } catch {
    throw new StartError('This is no JSON. Give what GetIsolationReport answers, or its signed_report alone.')
  }
  const [report] = found
  if (report === undefined || found.length > 1) {
    const what = report === undefined ? 'There is no signed_report' : 'There is more than one signed_report'
    throw new StartError(`${what} in it. Give what GetIsolationReport answers.`)
  }
  const { '@type': _type, ...rest } = report
  try {
    const readable = fromJson(IsolationReportSchema, rest, { ignoreUnknownFields: true })
    return { signedReport: readable.signedReport, readable }
  } catch {
    throw new StartError(
      'What stands around the signed_report is no isolation report. Give what GetIsolationReport answers.',
    )
  }
}

/** Every object in it that holds a signature. */
function reportsIn(value: JsonValue): JsonObject[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.values(value).flatMap(reportsIn)
  if (Array.isArray(value)) return inside
  const isOne = [value.signedReport, value.signed_report].some((each) => typeof each === 'string' && each !== '')
  return isOne ? [value, ...inside] : inside
}

/** Names of the fields that say something else than what was signed. Who has stripped the signature bare has none. */
export function fieldsThatDiffer(readable: IsolationReport, signed: SignedReport): string[] {
  const { signedReport } = readable
  if (equals(IsolationReportSchema, readable, create(IsolationReportSchema, { signedReport }))) return []
  const meant = create(IsolationReportSchema, { ...asMessage(signed), signedReport })
  return IsolationReportSchema.fields
    .filter(({ localName }) => {
      const only = (report: IsolationReport) =>
        create(IsolationReportSchema, { [localName]: heldIn(report, localName) })
      return !equals(IsolationReportSchema, only(readable), only(meant))
    })
    .map(({ name }) => name)
}

function heldIn(report: IsolationReport, localName: string): unknown {
  return (report as unknown as Readonly<Record<string, unknown>>)[localName]
}

function asMessage(signed: SignedReport) {
  return {
    name: `isolationReports/${signed.reportId}`,
    uid: signed.reportId,
    createTime: timestampFromMs(signed.createTimeMs),
    outcome: IsolationReport_Outcome[signed.outcome],
    probes: signed.probes.map((each) => ({
      probe: each.probe,
      outcome: IsolationReport_Outcome[each.outcome],
      checkedCount: BigInt(each.checkedCount),
      findingCount: BigInt(each.findingCount),
      findings: [...each.findings],
      duration: durationFromMs(each.durationMs),
      message: each.message,
    })),
    tenantCount: BigInt(signed.tenantCount),
    duration: durationFromMs(signed.durationMs),
    serverVersion: signed.serverVersion,
    schemaVersion: signed.schemaVersion,
    operation: `operations/${signed.operationId}`,
  }
}
