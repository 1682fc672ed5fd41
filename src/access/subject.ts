import { TenureError } from '../base/errors.ts'
import { parseName } from '../base/resource-name.ts'
import type { Principal } from '../gen/tenure/v1/access_service_pb.ts'
import type { Subject } from './engine/decision.ts'

/** Undefined: a principal of another tenant, a stranger in this one. */
export function subjectFrom({ kind }: Principal, tenant: string): Subject | undefined {
  if (kind.case === 'identity') return { kind: 'identity', issuer: kind.value.issuer, subject: kind.value.subject }
  if (kind.case === undefined) throw new TenureError('INVALID_FIELD', 'principal: must be set')
  const name = parseName(kind.value)
  if (name === undefined || name.tenant !== tenant) return undefined
  return { kind: kind.case === 'user' ? 'user' : 'service_account', slug: name.id }
}
