import { type MembershipId, nilUuid, type PrincipalId, platformTenantId, tenantLevel } from '../base/ids.ts'
import { platformApiKeyRows } from '../credentials/api-key-store.ts'
import type { PlatformServiceAccountRow } from '../people/service-account.ts'
import { platformServiceAccountRows } from '../people/service-account-store.ts'
import { type DirectoryHeadRow, DirectoryHeadTable } from '../tenancy/chain-tables.ts'
import type { Directory } from '../tenancy/directory.ts'
import { outsidePlaces } from '../tenancy/place-check.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { ChangedRow, FactsReader, MembershipFact, TenantFact, TenantFacts } from './engine/facts.ts'
import { accountFact, apiKeyFact } from './facts-reader.ts'

/** The platform as the engine sees it: one "tenant" of service accounts whose templates hold everywhere. */
export function createPlatformFactsReader(directory: Directory, capabilities: PlatformCapabilities): FactsReader {
  const read = () => outsidePlaces(() => readPlatform(directory, capabilities))
  return {
    readTenantBySlug: async () => undefined,
    readTenantById: read,
    // Reading everything is a statement for each table, and no more than two.
    readSince: async () => 'unknown',
    async readChanged(_tenantId, rows) {
      // There are few platform principals; reading them all is one statement each, whatever changed.
      const facts = await read()
      const byId = <Fact>(all: readonly Fact[], idOf: (fact: Fact) => string, changed: readonly ChangedRow[]) => {
        const known = new Map(all.map((fact) => [idOf(fact), fact]))
        return new Map(changed.map(({ id }) => [id, known.get(id)]))
      }
      const accounts = rows.filter(({ table }) => table === 'platform_service_accounts')
      const keys = rows.filter(({ table }) => table === 'platform_api_keys')
      return {
        tenant: facts.tenant,
        workspaces: new Map(),
        principals: byId(facts.principals, ({ principalId }) => principalId, accounts),
        roles: new Map(),
        memberships: byId(facts.memberships, ({ membershipId }) => membershipId, accounts),
        apiKeys: byId(facts.apiKeys, ({ apiKeyId }) => apiKeyId, keys),
      }
    },
  }
}

function readPlatform(directory: Directory, capabilities: PlatformCapabilities): Promise<TenantFacts> {
  return directory.read(capabilities['platform-principals'], async (scope) => {
    const head = await scope.rows(DirectoryHeadTable).find({})
    if (head === undefined) throw new Error('the directory has no head')
    const accounts = await platformServiceAccountRows(scope).allGenuine({})
    const keys = await platformApiKeyRows(scope).allGenuine({})
    return {
      tenant: platformFact(head),
      workspaces: [],
      principals: accounts.map(accountFact),
      roles: [],
      memberships: accounts.map(membershipOf),
      apiKeys: keys.map((row) => apiKeyFact({ ...row, workspaceId: nilUuid })),
    }
  })
}

/** A platform account has its roles itself; they hold over everything. */
function membershipOf({ serviceAccountId, roles }: PlatformServiceAccountRow): MembershipFact {
  return {
    membershipId: serviceAccountId as MembershipId,
    workspaceId: tenantLevel,
    principalId: serviceAccountId as PrincipalId,
    roles,
    reachAll: true,
    expireTimeMs: undefined,
  }
}

function platformFact({ timelineId, revision, chainHash }: DirectoryHeadRow): TenantFact {
  return {
    tenantId: platformTenantId,
    slug: '',
    state: 'ACTIVE',
    suspensionMode: 'NONE',
    region: '',
    tier: '',
    placementEpoch: 1,
    timelineId,
    revision,
    chainHash: Buffer.from(chainHash).toString('base64'),
  }
}
