/** Canonical gRPC status codes by number; the only ones a failure of ours can carry. */
export const canonicalCode = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const

export type CanonicalCode = keyof typeof canonicalCode

/** Every reason a call can fail with, and its code. The enum `tenure.v1.ErrorReason` and docs/errors.md say the same; a test compares the three. */
export const codeOfReason = {
  INTERNAL: 'INTERNAL',
  MALFORMED_REQUEST: 'INVALID_ARGUMENT',
  INVALID_FIELD: 'INVALID_ARGUMENT',
  INVALID_PAGE_TOKEN: 'INVALID_ARGUMENT',
  INVALID_FILTER: 'INVALID_ARGUMENT',
  INVALID_ORDER_BY: 'INVALID_ARGUMENT',
  INVALID_UPDATE_MASK: 'INVALID_ARGUMENT',
  INVALID_REVISION: 'INVALID_ARGUMENT',
  WORKSPACE_MISMATCH: 'INVALID_ARGUMENT',
  REQUEST_ID_REUSED: 'INVALID_ARGUMENT',
  UNKNOWN_PERMISSION: 'INVALID_ARGUMENT',
  ROLE_NOT_ASSIGNABLE: 'INVALID_ARGUMENT',
  CREDENTIAL_MISSING: 'UNAUTHENTICATED',
  CREDENTIAL_INVALID: 'UNAUTHENTICATED',
  PERMISSION_MISSING: 'PERMISSION_DENIED',
  GRANT_EXCEEDS_CALLER: 'PERMISSION_DENIED',
  NOT_FOUND: 'NOT_FOUND',
  ALREADY_EXISTS: 'ALREADY_EXISTS',
  NAME_RETIRED: 'ALREADY_EXISTS',
  ETAG_MISMATCH: 'ABORTED',
  LAST_OWNER: 'FAILED_PRECONDITION',
  TENANT_SUSPENDED: 'FAILED_PRECONDITION',
  WORKSPACE_ARCHIVED: 'FAILED_PRECONDITION',
  INVALID_STATE: 'FAILED_PRECONDITION',
  RESOURCE_IN_USE: 'FAILED_PRECONDITION',
  SYSTEM_RESOURCE: 'FAILED_PRECONDITION',
  REVISION_LOST: 'FAILED_PRECONDITION',
  STALE: 'UNAVAILABLE',
  DATABASE_UNAVAILABLE: 'UNAVAILABLE',
  STORAGE_FULL: 'UNAVAILABLE',
  SHUTTING_DOWN: 'UNAVAILABLE',
  OVERLOADED: 'RESOURCE_EXHAUSTED',
  REQUEST_TOO_LARGE: 'RESOURCE_EXHAUSTED',
  DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
  CANCELLED: 'CANCELLED',
  KEYRING_UNAVAILABLE: 'UNAVAILABLE',
  KEY_DESTROYED: 'FAILED_PRECONDITION',
  TOKEN_TOO_LARGE: 'INVALID_ARGUMENT',
} as const satisfies Record<string, CanonicalCode>

export type ErrorReason = keyof typeof codeOfReason

/** One broken rule of one field, as `google.rpc.BadRequest` shows it. */
export interface FieldViolation {
  readonly field: string
  readonly description: string
}

export interface TenureErrorOptions {
  /** Facts for machines, sent as `ErrorInfo.metadata`. Never a value from another tenant, never a secret. */
  readonly metadata?: Readonly<Record<string, string>>
  readonly fieldViolations?: readonly FieldViolation[]
  /** Sent as `google.rpc.RetryInfo`. */
  readonly retryAfterMs?: number
  /** Why it happened, for the log alone; never sent. */
  readonly cause?: unknown
}

/** A failure a caller may see. `message` is sent as it is: it says what to do, and carries nothing from a driver or a stack. */
export class TenureError extends Error {
  override readonly name = 'TenureError'
  readonly reason: ErrorReason
  readonly metadata: Readonly<Record<string, string>>
  readonly fieldViolations: readonly FieldViolation[]
  readonly retryAfterMs: number | undefined

  constructor(reason: ErrorReason, message: string, options: TenureErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.metadata = options.metadata ?? {}
    this.fieldViolations = options.fieldViolations ?? []
    this.retryAfterMs = options.retryAfterMs
  }

  get code(): CanonicalCode {
    return codeOfReason[this.reason]
  }
}

/** Whether something this server rests on does not answer now: it comes back, whoever asked tries again, and the log has heard. */
export function isAway(error: unknown): boolean {
  return error instanceof TenureError && error.code === 'UNAVAILABLE'
}

/** Whether a key or a name that was to be given has been given already, by somebody else or in an attempt before. */
export function isTaken(error: unknown): boolean {
  return error instanceof TenureError && error.reason === 'ALREADY_EXISTS'
}

/** Missing and foreign are one failure with one text, so that neither its words nor its shape tell them apart. */
export function notFound(): TenureError {
  return new TenureError(
    'NOT_FOUND',
    'There is nothing of that name, or not for this caller. Check the name and the credential.',
  )
}

export function invalidField(field: string, description: string): TenureError {
  return new TenureError('INVALID_FIELD', `${field}: ${description}`, { fieldViolations: [{ field, description }] })
}

/** `from`: whose roles can have it. To be told from the permission and the caller alone, never from what was asked about. */
export function permissionMissing(permission: string, from: 'tenant' | 'platform' = 'tenant'): TenureError {
  const next =
    from === 'tenant'
      ? `This needs the permission ${permission}. Ask an owner of the tenant for a role that has it.`
      : `This needs the permission ${permission} of the platform, which no role of a tenant gives. Ask the operator of this platform for a key of a platform service account that has it.`
  return new TenureError('PERMISSION_MISSING', next, { metadata: { permission } })
}

export function tenantSuspended(): TenureError {
  return new TenureError('TENANT_SUSPENDED', 'The tenant is suspended. Ask the operator of this platform to resume it.')
}
