import { TenureError } from './errors.ts'

/**
 * Which of a resource's changeable fields an update is about (AIP-134): those the mask names; with `*` all of them; with
 * no mask those that are set. Throws INVALID_UPDATE_MASK for a path that is not one of them.
 */
export function fieldsToUpdate<Field extends string>(
  paths: readonly string[],
  changeable: readonly Field[],
  set: Readonly<Record<Field, boolean>>,
): ReadonlySet<Field> {
  if (paths.length === 0) return new Set(changeable.filter((field) => set[field]))
  if (paths.length === 1 && paths[0] === '*') return new Set(changeable)
  const named = new Set<Field>()
  for (const path of paths) {
    const field = changeable.find((each) => each === path)
    if (field === undefined) {
      const description = `cannot name ${JSON.stringify(path)}; it takes ${changeable.join(', ')}, or * alone`
      throw new TenureError('INVALID_UPDATE_MASK', `update_mask: ${description}`, {
        fieldViolations: [{ field: 'update_mask', description }],
      })
    }
    named.add(field)
  }
  return named
}
