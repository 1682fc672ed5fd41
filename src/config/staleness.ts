import { z } from 'zod'

/** Milliseconds by name of the permission. */
export type StalenessByPermission = Readonly<Record<string, number>>

/** A day: older than that, nothing is a decision any more. */
export const maxStalenessMs = 86_400_000

const permissionName = /^[a-z][a-zA-Z0-9]{0,62}\.[a-z][a-zA-Z0-9]{0,62}$/

export const stalenessByPermissionSchema: z.ZodType<StalenessByPermission> = z.unknown().transform((value, context) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: 'must be a map of permission to milliseconds' })
    return z.NEVER
  }
  const entries = Object.entries(value)
  for (const [permission, staleness] of entries) {
    const problem = problemOf(permission, staleness)
    if (problem !== undefined) context.addIssue({ code: 'custom', path: [permission], message: problem })
  }
  return Object.fromEntries(entries) as StalenessByPermission
})

function problemOf(permission: string, staleness: unknown): string | undefined {
  if (!permissionName.test(permission)) return 'is no permission; write its name as noun.verb'
  const isWhole = typeof staleness === 'number' && Number.isInteger(staleness)
  if (isWhole && staleness >= 0 && staleness <= maxStalenessMs) return undefined
  return `must be a whole number from 0 to ${maxStalenessMs}`
}
