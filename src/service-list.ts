import { createAccessService } from './access/access-service.ts'
import { createRoleService } from './access/role-service.ts'
import { createAuditService } from './assurance/audit-service.ts'
import type { CheckpointEvidence } from './assurance/checkpoints/checkpoint-evidence.ts'
import { createDiagnosticsService } from './assurance/diagnostics-service.ts'
import { TenureError } from './base/errors.ts'
import type { Config } from './config/config.ts'
import { createApiKeyService } from './credentials/api-key-service.ts'
import { createSigningKeyService } from './credentials/signing-key-service.ts'
import { createTokenService } from './credentials/token-service.ts'
import type { Status } from './gen/google/rpc/status_pb.ts'
import type { Keys } from './keys.ts'
import { createOperationService } from './operations/operation-service.ts'
import { createMembershipService } from './people/membership-service.ts'
import { createServiceAccountService } from './people/service-account-service.ts'
import { createUserService } from './people/user-service.ts'
import type { Platform } from './platform.ts'
import type { ServiceImplementation } from './rpc/call.ts'
import { failureOf, statusOf } from './rpc/error-mapping.ts'
import { createPageTokens } from './rpc/page-token.ts'
import { createSecretService } from './secrets/secret-service.ts'
import type { Runtime } from './server.ts'
import { createJournalReader } from './tenancy/journal-store.ts'
import { createTenantService } from './tenants/tenant-service.ts'
import { createWorkspaceService } from './tenants/workspace-service.ts'
import { productVersion } from './version.ts'

/** What goes on beside calls. */
export interface Background {
  /** There is a new operation to be done. */
  readonly wake: () => void
  readonly flushViolations: () => Promise<void>
  /** What checkpoints of the audit chains say. */
  readonly evidence: CheckpointEvidence
}

/** Every service over one platform: the other half of the list in rpc/services.ts. */
export function createServices(
  platform: Platform,
  runtime: Runtime,
  config: Config,
  { pageTokenKey, sealer, signingKeys }: Keys,
  issuer: () => string,
  { wake, flushViolations, evidence }: Background,
): ServiceImplementation[] {
  const { environment, cells, audience } = config
  const tokens = createPageTokens({ key: pageTokenKey, random: runtime.random })
  const parts = { ...platform, ...runtime, tokens, environment, cells, sealer, signingKeys, issuer, audience, wake }
  const { capabilities, directory, scopes, accessLog } = platform
  return [
    createAccessService({
      ...parts,
      statusOf(error, call) {
        if (!(error instanceof TenureError))
          runtime.log.error({ err: error, requestId: call.requestId }, 'an item failed')
        return statusOf(failureOf(error, call.requestId)) as Status
      },
    }),
    createApiKeyService(parts),
    createAuditService({
      ...{ tokens, evidence },
      journal: createJournalReader(scopes, directory, capabilities['platform-audit']),
      flush: () => accessLog.flush(),
    }),
    createDiagnosticsService({
      ...parts,
      flushViolations,
      facts: {
        version: productVersion,
        schemaVersion: platform.storage.schemaVersion,
        engine: platform.storage.engine,
        keyring: config.keyring.kind,
        startMs: runtime.clock.nowMs(),
        features: [],
        feedFreshnessMs: platform.feeds.ageMs,
      },
      // What is still to be made must have no history: it would never be made.
      isTenant: async (tenantUid) =>
        ((await platform.tenants.findById(tenantUid))?.state ?? 'PROVISIONING') !== 'PROVISIONING',
    }),
    createMembershipService(parts),
    createOperationService(parts),
    createRoleService(parts),
    createSecretService(parts),
    createServiceAccountService(parts),
    createSigningKeyService(parts),
    createTenantService(parts),
    createTokenService(parts),
    createUserService(parts),
    createWorkspaceService(parts),
  ]
}
