import { type ErrorReason, TenureError, type TenureErrorOptions } from '../../src/base/errors.ts'

/** What else a failure of that reason carries, as in the docs. A reason without an entry here does not compile. */
const examples: Readonly<Record<ErrorReason, TenureErrorOptions>> = {
  INTERNAL: {},
  MALFORMED_REQUEST: {},
  INVALID_FIELD: fieldViolation('workspace_id', 'must be 3 to 63 of a-z 0-9 -'),
  INVALID_PAGE_TOKEN: fieldViolation('page_token', 'was changed, or belongs to another caller, method or query'),
  INVALID_FILTER: fieldViolation('filter', 'lacks a closing parenthesis'),
  INVALID_ORDER_BY: fieldViolation('order_by', 'cannot order by "secret"'),
  INVALID_UPDATE_MASK: fieldViolation('update_mask', 'cannot name "uid"; it takes display_name, or * alone'),
  INVALID_REVISION: fieldViolation('at_least_revision', 'is not a revision of this tenant'),
  WORKSPACE_MISMATCH: {},
  REQUEST_ID_REUSED: {},
  UNKNOWN_PERMISSION: { metadata: { permission: 'orders.read' } },
  ROLE_NOT_ASSIGNABLE: {},
  CREDENTIAL_MISSING: {},
  CREDENTIAL_INVALID: {},
  PERMISSION_MISSING: { metadata: { permission: 'orders.read' } },
  GRANT_EXCEEDS_CALLER: { metadata: { permission: 'orders.write' } },
  NOT_FOUND: {},
  ALREADY_EXISTS: {},
  NAME_RETIRED: {},
  ETAG_MISMATCH: {},
  LAST_OWNER: {},
  TENANT_SUSPENDED: {},
  WORKSPACE_ARCHIVED: {},
  INVALID_STATE: { metadata: { state: 'DELETED' } },
  RESOURCE_IN_USE: {},
  SYSTEM_RESOURCE: {},
  REVISION_LOST: {},
  STALE: { retryAfterMs: 200 },
  DATABASE_UNAVAILABLE: { retryAfterMs: 500 },
  STORAGE_FULL: { retryAfterMs: 30_000 },
  SHUTTING_DOWN: {},
  OVERLOADED: { retryAfterMs: 1_000 },
  REQUEST_TOO_LARGE: {},
  DEADLINE_EXCEEDED: {},
  CANCELLED: {},
  KEYRING_UNAVAILABLE: { retryAfterMs: 1_000 },
  KEY_DESTROYED: {},
  TOKEN_TOO_LARGE: {},
}

function fieldViolation(field: string, description: string): TenureErrorOptions {
  return { fieldViolations: [{ field, description }] }
}

export function exampleOf(reason: ErrorReason, message: string): TenureError {
  return new TenureError(reason, message, examples[reason])
}
