import { TenureError } from '../base/errors.ts'
import type { SealedPlace } from '../keyring/envelope.ts'
import { KeyringError } from '../keyring/keyring-error.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'

const retryAfterMs = 1_000

/** What values of secrets are sealed for, wherever they lie. */
export function payloadPlace({ tenantId, workspaceId }: Pick<TenantContext, 'tenantId' | 'workspaceId'>) {
  return { purpose: 'secret-version', tenantId, workspaceId } as const
}

/** Where one value opens, and nowhere else: not at another version, secret, workspace or tenant its ciphertext was copied to. */
export function versionPlace(
  context: Pick<TenantContext, 'tenantId' | 'workspaceId'>,
  secretId: string,
  number: number,
): SealedPlace {
  return { ...payloadPlace(context), objectId: secretId, version: number }
}

/** Whether the value is there and is not what was sealed at its place: somebody wrote to the rows, or the keyring is another one. */
export function isUnreadable(error: unknown): error is KeyringError {
  return error instanceof KeyringError && (error.reason === 'BAD_CIPHERTEXT' || error.reason === 'UNKNOWN_KEY')
}

/** What a caller may know of a failure of the keyring; everything else is a broken invariant. */
export function failureFromKeyring(error: unknown): unknown {
  if (!(error instanceof KeyringError)) return error
  switch (error.reason) {
    case 'UNAVAILABLE':
      return new TenureError(
        'KEYRING_UNAVAILABLE',
        'The keys of the workspace cannot be reached now. Repeat the call in a second.',
        { retryAfterMs, cause: error },
      )
    case 'DESTROYED':
      return new TenureError('KEY_DESTROYED', 'The key of the workspace was destroyed, and its secrets with it.', {
        cause: error,
      })
    default:
      return error
  }
}
