// The door of the package `tenure-sdk`: what data-plane services may rely on. docs/sdk.md is its reference.

import type { TenantTokenClaims, WorkspaceGrant } from '../jwt/tenant-token-claims.ts'
import { AccessError, type AccessErrorReason } from './access-error.ts'
import {
  authenticate,
  authenticateTenant,
  requirePermission,
  type TokenOptions,
  type WorkspaceOptions,
} from './authenticate.ts'
import { bindLogger, type ChildLogger, type LineLogger } from './bind-logger.ts'
import { type CallContexts, type CallContextsOptions, createCallContexts } from './call-contexts.ts'
import { contextFromTenureContext } from './call-token.ts'
import { type ControlPlane, ControlPlaneError, type ControlPlaneOptions, createControlPlane } from './control-plane.ts'
import { answerRefusal, contextFrom, type Guard, tenantContextFrom, tenantGuard, workspaceGuard } from './guard.ts'
import type { JwkSet } from './key-source.ts'
import type { RequestLike } from './request-headers.ts'
import { tenantCacheKey } from './tenant-cache-key.ts'
import type { TenantContext, TenantLevelContext } from './tenant-context.ts'
import { contextOf, tenantLevelContextOf, type VerifiedToken } from './verified-token.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

export {
  AccessError,
  type AccessErrorReason,
  answerRefusal,
  authenticate,
  authenticateTenant,
  bindLogger,
  type CallContexts,
  type CallContextsOptions,
  type ChildLogger,
  type ControlPlane,
  ControlPlaneError,
  type ControlPlaneOptions,
  contextFrom,
  contextFromTenureContext,
  contextOf,
  createCallContexts,
  createControlPlane,
  createVerifier,
  type Guard,
  type JwkSet,
  type LineLogger,
  type RequestLike,
  requirePermission,
  type TenantContext,
  type TenantLevelContext,
  type TenantTokenClaims,
  type TokenOptions,
  tenantCacheKey,
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
