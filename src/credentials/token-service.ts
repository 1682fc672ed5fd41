import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Statement, Statements } from '../access/statements.ts'
import type { Clock } from '../base/clock.ts'
import { notFound, TenureError } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import {
  type IssueTokenRequest,
  type IssueTokenResponse,
  IssueTokenResponseSchema,
  TokenService,
} from '../gen/tenure/v1/token_service_pb.ts'
import { signTenantToken } from '../jwt/sign-tenant-token.ts'
import type { SigningKey } from '../jwt/signing-key.ts'
import { maxClaimEntries, type TenantTokenClaims } from '../jwt/tenant-token-claims.ts'
import { TokenError } from '../jwt/token-error.ts'
import { type Call, callerOf, contextOf, implement, type ServiceImplementation } from '../rpc/call.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'

export interface TokenServiceParts {
  readonly statements: Statements
  readonly signingKeys: { readonly active: SigningKey }
  readonly clock: Clock
  readonly ids: Ids
  /** Who tokens say they come from; known once the server listens. */
  readonly issuer: () => string
  /** Unless another is asked for. */
  readonly audience: string
}

const defaultTtlSeconds = 300
/** Nothing can revoke a token yet, so no counter of revocations has ever moved. */
const firstEpoch = 0

export function createTokenService(parts: TokenServiceParts): ServiceImplementation {
  return implement(TokenService, { issueToken: (request, call) => issueToken(parts, request, call) })
}

async function issueToken(
  parts: TokenServiceParts,
  request: IssueTokenRequest,
  call: Call,
): Promise<IssueTokenResponse> {
  const context = contextOf(call)
  const statement = await parts.statements.state(call, context, request)
  const claims = claimsFrom(parts, request, call, context, statement)
  const token = await signed(claims, parts.signingKeys.active)
  call.gaveAccess(statement.principal, {
    token_id: claims.jti,
    audience: claims.aud,
    workspaces: claims.workspaces.map(({ slug }) => slug),
  })
  return create(IssueTokenResponseSchema, {
    token,
    tokenId: claims.jti,
    expireTime: timestampFromMs(claims.exp * 1000),
    revision: statement.revisionToken,
  })
}

function claimsFrom(
  { clock, ids, issuer, audience }: TokenServiceParts,
  request: IssueTokenRequest,
  call: Call,
  context: TenantContext,
  statement: Statement,
): TenantTokenClaims {
  const caller = callerOf(call)
  const nowMs = clock.nowMs()
  const iat = Math.floor(nowMs / 1000)
  const ttlSeconds = request.ttl === undefined ? defaultTtlSeconds : Number(request.ttl.seconds)
  // Nor does it outlive the credential it was asked for with, about whomever it is.
  const endMs = Math.min(statement.validUntilMs, caller.expireTimeMs ?? Number.POSITIVE_INFINITY)
  const exp = Math.min(iat + ttlSeconds, Math.floor(endMs / 1000))
  // What it is made from ends within this second.
  if (exp <= iat) throw notFound()
  return {
    ...{ iss: issuer(), sub: statement.principal, aud: request.audience.length > 0 ? request.audience : [audience] },
    ...{ exp, iat, nbf: iat, jti: ids.next(), client_id: caller.credential },
    ...{ tid: context.tenantId, tenant: context.tenantSlug, tep: firstEpoch, rev: statement.revision },
    workspaces: statement.workspaces.map(({ workspaceId, slug, permissions }) => {
      return { id: workspaceId, slug, epoch: firstEpoch, permissions }
    }),
    ...{ permissions: statement.permissions, tier: statement.tier, region: statement.region, entitlements: {} },
    ...{ roles: statement.roles, pep: firstEpoch },
    ...(statement.impersonates ? { act: { sub: caller.principal } } : {}),
    online_required: false,
  }
}

/** Longer lists than any verifier reads. */
function isCrowded({ permissions, roles, workspaces }: TenantTokenClaims): boolean {
  const lists = [permissions, roles, workspaces, ...workspaces.map((workspace) => workspace.permissions)]
  return lists.some(({ length }) => length > maxClaimEntries)
}

async function signed(claims: TenantTokenClaims, key: SigningKey): Promise<string> {
  try {
    return await signTenantToken(claims, key)
  } catch (error) {
    // Claims of ours are bad for one reason alone: there are more of them than a token may list.
    if (!(error instanceof TokenError && (error.reason === 'TOO_LARGE' || isCrowded(claims)))) throw error
    throw new TenureError(
      'TOKEN_TOO_LARGE',
      'The token would have more than 4 KiB. Name fewer workspaces, or only the permissions that are needed.',
    )
  }
}
