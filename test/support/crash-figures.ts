import { printTable, quantile } from '../bench/bench-table.ts'
import type { TrialFigures } from './crash-trials.ts'

/** What all trials with one fault came to. */
export interface FaultRow {
  readonly fault: string
  readonly trials: number
  /** How often it struck: a trial whose packets never came by has none. */
  readonly strikes: number
  readonly writes: number
  readonly sentAgain: number
  readonly unanswered: number
  readonly recoveryP50Ms: number
  readonly recoveryMaxMs: number
  readonly slowestWriteMs: number
}

const head = [
  'fault',
  'trials',
  'strikes',
  'writes',
  'sent again',
  'unanswered',
  'recovery p50',
  'max',
  'slowest write',
]

/** One row for each fault, and one for all. */
export function faultRowsOf(figures: readonly TrialFigures[]): readonly FaultRow[] {
  const byFault = Map.groupBy(figures, ({ fault }) => fault)
  const rows = [...byFault].map(([fault, some]) => rowFrom(fault, some)).sort((a, b) => b.trials - a.trials)
  return [...rows, rowFrom('all', figures)]
}

function rowFrom(fault: string, figures: readonly TrialFigures[]): FaultRow {
  const sum = (count: (figure: TrialFigures) => number) => figures.reduce((all, each) => all + count(each), 0)
  const recoveries = figures.flatMap(({ recoveryMs }) => recoveryMs)
  return {
    ...{ fault, trials: figures.length },
    strikes: sum(({ strikes }) => strikes),
    writes: sum(({ writes }) => writes.sent),
    sentAgain: sum(({ writes }) => writes.attempts - writes.sent),
    unanswered: sum(({ writes }) => writes.unanswered),
    recoveryP50Ms: quantile(recoveries, 0.5),
    recoveryMaxMs: Math.max(0, ...recoveries),
    slowestWriteMs: Math.max(0, ...figures.map(({ slowestWriteMs }) => slowestWriteMs)),
  }
}

export function printFaultRows(rows: readonly FaultRow[]): void {
  printTable(
    head,
    rows.map((row) => Object.values(row)),
  )
}
