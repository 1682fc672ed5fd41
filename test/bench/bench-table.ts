import { cpus, loadavg } from 'node:os'

type Cell = string | number

/** Columns as wide as their widest cell; the first is text, the others are figures. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const lines = [head, ...rows].map((row) => row.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)))
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  for (const line of lines) {
    const cells = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    )
    process.stdout.write(`${cells.join('  ')}\n`)
  }
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (Number.isInteger(value)) return value.toLocaleString('en')
  return value < 10 ? value.toFixed(2) : value.toFixed(0)
}

/** NaN where there are no values. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

const startLoad = loadavg()[0] ?? Number.NaN

/** The day, the machine, and how busy it was before: without them a figure means little. */
export function circumstances(): Record<string, string | number> {
  const cores = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: cores.length,
    cpu: cores[0]?.model ?? 'unknown',
    startLoad,
  }
}

export function printCircumstances(): void {
  const { date, node, cores, cpu } = circumstances()
  process.stdout.write(`${date}, Node ${node}, ${cores} cores of ${cpu}, load ${startLoad.toFixed(1)} before\n`)
}
