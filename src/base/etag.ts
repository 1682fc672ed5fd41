import { createHash } from 'node:crypto'
import { TenureError } from './errors.ts'

/** The etag of one state of one resource: the same row version always gives the same etag, another never does. */
export function etagOf(uid: string, version: number): string {
  return createHash('sha256').update(`${uid}:${version}`).digest('base64url').slice(0, 16)
}

/** Refuses a write over a state the caller has not seen. An empty etag asks for no check. */
export function checkEtag(given: string, uid: string, version: number): void {
  if (given === '' || given === etagOf(uid, version)) return
  throw new TenureError(
    'ETAG_MISMATCH',
    'It has changed since it was read. Read it again, then repeat the change on what you find.',
  )
}
