import type { Clock } from '../../base/clock.ts'
import { type Finding, maxFindings, type ProbeResult } from '../isolation-report.ts'

/** What a probe tells while it looks. */
export interface Looking {
  /** So many more things were looked at. */
  checked(count?: number): void
  found(finding: Finding): void
  /** Lets a cancelled operation, or a server that stops, end between two steps. Throws then. */
  pause(): Promise<void>
}

/** One way to find what could let one tenant reach another. Throws where it cannot look. */
export interface Probe {
  readonly name: string
  look(looking: Looking): Promise<void>
}

/** Runs one probe to its end; what keeps it from looking is its message, not a failure of all. `pause` may throw through. */
export async function runProbe(
  probe: Probe,
  clock: Clock,
  pause: () => Promise<void>,
  failed: (probe: string, error: unknown) => void,
): Promise<ProbeResult> {
  const beganMs = clock.monotonicMs()
  const findings: Finding[] = []
  let checkedCount = 0
  let findingCount = 0
  let stopped: { readonly error: unknown } | undefined
  const looking: Looking = {
    checked: (count = 1) => {
      checkedCount += count
    },
    found: (finding) => {
      findingCount += 1
      if (findings.length < maxFindings) findings.push(finding)
    },
    async pause() {
      try {
        await pause()
      } catch (error) {
        stopped = { error }
        throw error
      }
    },
  }
  let message = ''
  try {
    await probe.look(looking)
  } catch (error) {
    if (stopped !== undefined) throw stopped.error
    failed(probe.name, error)
    message = messageOf(error)
  }
  const incomplete = message === '' ? 'PASSED' : 'INCOMPLETE'
  return {
    ...{ probe: probe.name, outcome: findingCount > 0 ? 'FAILED' : incomplete, checkedCount, findingCount, findings },
    ...{ durationMs: Math.round(clock.monotonicMs() - beganMs), message },
  }
}

const ownErrors: ReadonlySet<string> = new Set(['TenureError', 'KeyringError', 'CanaryFailure'])

/** Text of a driver may hold what it was given; only what we wrote ourselves is repeated. */
function messageOf(error: unknown): string {
  return error instanceof Error && ownErrors.has(error.name)
    ? error.message
    : 'It could not be looked at; the log says why.'
}
