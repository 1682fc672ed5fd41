import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createGuard, type Guard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal, type GuardRefusalReason } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardBinding, GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { guardedTables } from '../../../src/tables.ts'
import { platformTables } from '../../../src/tenancy/platform-capability.ts'
import { ALL_WORKSPACES_BINDING, T, TENANT_BINDING, W } from './corpus-binding.ts'

/** A statement as the product sends it, whatever its values. */
export interface RecordedStatement {
  readonly sql: string
  /** One letter a parameter: `T` the tenant of the context, `W` its workspace, `.` anything else. */
  readonly parameters: string
  /** What it ran bound as: `tenant`, `all workspaces`, `platform <purpose>`. */
  readonly ran: readonly string[]
}

export interface RecordedVerdict extends RecordedStatement {
  /** Every other binding that the guard would let it through under: wider grants show here. */
  readonly admitted: readonly string[]
}

/** Everything a connection can be bound as, by name. */
export const everyBinding: ReadonlyMap<string, GuardBinding> = new Map<string, GuardBinding>([
  ['tenant', TENANT_BINDING],
  ['all workspaces', ALL_WORKSPACES_BINDING],
  ...Object.keys(platformTables).map((purpose): [string, GuardBinding] => [
    `platform ${purpose}`,
    { kind: 'platform', purpose },
  ]),
])

export function guardOfProduct(dialect: GuardDialect): Promise<Guard> {
  return createGuard({ dialect, tables: guardedTables(), sink: { refused: () => undefined } })
}

export function refusalOf(
  guard: Guard,
  sql: string,
  params: readonly unknown[],
  binding: GuardBinding | undefined,
): GuardRefusalReason | undefined {
  try {
    guard.check(sql, params, binding)
    return undefined
  } catch (error) {
    if (error instanceof GuardRefusal) return error.reason
    throw error
  }
}

/** The values of the corpus's own context. */
export function valuesOf(parameters: string): string[] {
  return [...parameters].map((letter) => ({ T, W })[letter] ?? 'x')
}

export function admittedTo(guard: Guard, { sql, parameters }: RecordedStatement): string[] {
  const values = valuesOf(parameters)
  return [...everyBinding].flatMap(([name, binding]) =>
    refusalOf(guard, sql, values, binding) === undefined ? [name] : [],
  )
}

function fileOf(dialect: GuardDialect): string {
  return join(import.meta.dirname, `recorded-${dialect}.json`)
}

export function readRecorded(dialect: GuardDialect): readonly RecordedVerdict[] {
  return existsSync(fileOf(dialect)) ? JSON.parse(readFileSync(fileOf(dialect), 'utf8')) : []
}

export async function writeRecorded(dialect: GuardDialect, statements: readonly RecordedStatement[]): Promise<void> {
  const guard = await guardOfProduct(dialect)
  const verdicts = statements.map((statement): RecordedVerdict => {
    const admitted = admittedTo(guard, statement).filter((name) => !statement.ran.includes(name))
    return { ...statement, admitted }
  })
  writeFileSync(fileOf(dialect), `${JSON.stringify(verdicts, undefined, 2)}\n`)
}
