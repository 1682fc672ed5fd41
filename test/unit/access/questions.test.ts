import { expect, test } from 'vitest'
import { askAtPlace, type SubjectParts } from '../../../src/access/questions.ts'
import { tenantLevel, uuidToBytes } from '../../../src/base/ids.ts'
import { formatApiKey, hashSecret } from '../../../src/credentials/api-key.ts'
import type { AuthorizeRequest } from '../../../src/gen/tenure/v1/access_service_pb.ts'
import type { TenantContext } from '../../../src/tenancy/tenant-context.ts'
import { acmeId, apiKeyFact, prodId, stagingId, uid, workspaceFact } from './engine/fact-builders.ts'
import { createSnapshotRig } from './engine/snapshot-rig.ts'

const secret = Buffer.concat([uuidToBytes(uid(61)), uuidToBytes(uid(62))])
const key = formatApiKey('dev', acmeId, uid(51), secret)

/** A question by a revoked key, at a place that was there when the caller was admitted. */
function asked(workspaceSlug: string): string {
  const { snapshot } = createSnapshotRig({
    workspaces: [
      workspaceFact({ workspaceId: prodId, state: 'DELETED' }),
      workspaceFact({ workspaceId: stagingId, slug: 'staging' }),
    ],
    apiKeys: [apiKeyFact({ workspaceId: tenantLevel, secretHash: hashSecret(secret), revoked: true })],
  })
  const parts = { engines: { of: () => snapshot }, environment: 'dev' } as unknown as SubjectParts
  const request = { credential: { case: 'apiKey', value: key }, permission: 'orders.read' } as AuthorizeRequest
  const context = { tenantId: acmeId, tenantSlug: 'acme', workspaceSlug } as TenantContext
  const found = askAtPlace(parts, request, context)
  if (found instanceof Promise) throw new Error('the tenant is in memory')
  return found.kind === 'decided' ? found.decision.reason : 'to be decided'
}

test.each(['prod', 'gone'])(
  'at a workspace that went away while the call waited for a revision, %s, the credential is not looked at',
  (workspace) => expect(asked(workspace)).toBe('NO_ACCESS'),
)

test.each(['staging', ''])('at one that is there, %j, it is', (workspace) =>
  expect(asked(workspace)).toBe('to be decided'),
)
