import { createHash } from 'node:crypto'

/** The etag of one state of one resource: the same row version always gives the same etag, another never does. */
export function etagOf(uid: string, version: number): string {
  return createHash('sha256').update(`${uid}:${version}`).digest('base64url').slice(0, 16)
}
