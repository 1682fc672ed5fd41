import { expect, test } from 'vitest'
import { createGuard, type Guard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal } from '../../../src/sql-guard/guard-refusal.ts'
import { ALL_WORKSPACES_BINDING, OTHER_TENANT, OTHER_WORKSPACE, TABLES, TENANT_BINDING } from './corpus-binding.ts'
import { drawsFrom } from './known-conditions.ts'
import { drawStatement } from './known-statements.ts'

// Statements whose answer is known from how they were made. It must be that one: a proof that is missing is refused for
// what is missing, and what is honest passes.

const RUNS = 2_500
const SEED = 20_261_122

function answerOf(guard: Guard, sql: string, params: readonly string[], binding = TENANT_BINDING): string | undefined {
  try {
    guard.check(sql, params, binding)
    return undefined
  } catch (error) {
    if (error instanceof GuardRefusal) return error.reason
    throw error
  }
}

test.each(['sqlite', 'mysql'] as const)(
  'every statement of a known answer gets it on %s',
  async (dialect) => {
    const guard = await createGuard({ dialect, tables: TABLES, sink: { refused: () => undefined } })
    const draw = drawsFrom(SEED)
    const answers = new Map<string, number>()
    for (let run = 0; run < RUNS; run += 1) {
      const { sql, params, refusal, tenantPins, workspacePins } = drawStatement(draw, dialect)
      const place = `seed ${SEED}, run ${run}: ${sql}`
      expect(answerOf(guard, sql, params), place).toBe(refusal)
      answers.set(refusal ?? 'passes', (answers.get(refusal ?? 'passes') ?? 0) + 1)
      const anywhere = refusal === 'unpinned-workspace' ? undefined : refusal
      expect(answerOf(guard, sql, params, ALL_WORKSPACES_BINDING), place).toBe(anywhere)
      if (refusal !== undefined) continue
      for (const at of tenantPins) {
        expect(answerOf(guard, sql, params.with(at, OTHER_TENANT)), place).toBe('foreign-tenant')
      }
      for (const at of workspacePins) {
        expect(answerOf(guard, sql, params.with(at, OTHER_WORKSPACE)), place).toBe('foreign-workspace')
      }
      expect(tenantPins.length, place).toBeGreaterThan(0)
    }
    // Neither all refused nor all let through.
    expect(answers.get('passes')).toBeGreaterThan(RUNS / 3)
    expect(answers.get('unpinned-tenant')).toBeGreaterThan(RUNS / 20)
    expect(answers.get('unpinned-workspace')).toBeGreaterThan(RUNS / 50)
  },
  120_000,
)
