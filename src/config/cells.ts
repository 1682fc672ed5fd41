import { z } from 'zod'

/** A database cluster in one region that holds the rows of many tenants. */
export interface CellConfig {
  readonly id: string
  readonly region: string
}

const namePattern = /^[a-z0-9-]{1,40}$/
/** There is one database so far: a second cell of another region would keep its tenants where they were promised not to be. */
const maxCells = 1

const nameSchema = z
  .string({ error: 'must be text of 1 to 40 characters of a-z, 0-9 and -' })
  .regex(namePattern, { error: 'must be 1 to 40 characters of a-z, 0-9 and -' })

export const cellsSchema: z.ZodType<readonly CellConfig[]> = z
  .array(z.strictObject({ id: nameSchema, region: nameSchema }, { error: cellProblem }), {
    error: 'must be a list of {id, region}',
  })
  .min(1, { error: 'must list at least one cell; remove it to have the one cell "local"' })
  // Not `max`, which also measures a text in the list's place.
  .refine((cells) => cells.length <= maxCells, {
    error: 'must list one cell: there is one database so far, and it is in one region',
  })

function cellProblem(issue: { readonly code?: string; readonly keys?: readonly string[] }): string {
  if (issue.code !== 'unrecognized_keys') return 'must be {id, region}'
  return `has the unknown key ${JSON.stringify(issue.keys?.[0] ?? '')}; remove it, a cell is {id, region}`
}
