import { invalidField } from './errors.ts'
import { reservedSlugs } from './resource-name.ts'

/** Refuses the words that would read as something else. The form of a slug is a field rule of the proto. */
export function checkSlug(field: string, slug: string): void {
  if (reservedSlugs.has(slug)) throw invalidField(field, `${JSON.stringify(slug)} is reserved; choose another`)
}

/** The last segment of a name that the caller left to the server: unique as the uid it is made from. */
export function slugFromUid(prefix: string, uid: string): string {
  return `${prefix}-${uid.replaceAll('-', '').slice(-20)}`
}
