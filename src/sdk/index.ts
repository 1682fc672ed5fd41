// The door of the package `tenure-sdk`: what data-plane services may rely on. docs/sdk.md is its reference.

import type { TenantTokenClaims, WorkspaceGrant } from '../jwt/tenant-token-claims.ts'
import { AccessError, type AccessErrorReason } from './access-error.ts'
import {
  authenticate,
  authenticateTenant,
  type RequestLike,
  requirePermission,
  type TokenOptions,
  type WorkspaceOptions,
} from './authenticate.ts'
import { answerRefusal, contextFrom, type Guard, tenantContextFrom, tenantGuard, workspaceGuard } from './guard.ts'
import type { JwkSet } from './key-source.ts'
import type { TenantContext, TenantLevelContext } from './tenant-context.ts'
import { contextOf, tenantLevelContextOf, type VerifiedToken } from './verified-token.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

export {
  AccessError,
  type AccessErrorReason,
  answerRefusal,
  authenticate,
  authenticateTenant,
  contextFrom,
  contextOf,
  createVerifier,
  type Guard,
  type JwkSet,
  type RequestLike,
  requirePermission,
  type TenantContext,
  type TenantLevelContext,
  type TenantTokenClaims,
  type TokenOptions,
  tenantContextFrom,
  tenantGuard,
  tenantLevelContextOf,
  type VerifiedToken,
  type Verifier,
  type VerifierOptions,
  type WorkspaceGrant,
  type WorkspaceOptions,
  workspaceGuard,
}
