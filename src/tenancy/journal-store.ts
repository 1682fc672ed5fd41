import { authorityChain } from './audit-chain.ts'
import { AuditChainTable, DirectoryChainTable, DirectoryHeadTable } from './chain-tables.ts'
import type { Directory } from './directory.ts'
import { DirectoryJournalTable, type JournalRow, JournalTable } from './journal-table.ts'
import type { PlatformCapability } from './platform-capability.ts'
import type { PlatformReadScope } from './platform-scope.ts'
import type { Rows } from './rows.ts'
import type { Scopes } from './scope.ts'
import type { TenantContext } from './tenant-context.ts'
import type { ReadScope } from './tenant-unit.ts'

/** The lines of the scope's tenant. */
export function journalRows(scope: ReadScope): Rows<JournalRow> {
  return scope.rows(JournalTable)
}

/** The journal of one tenant, or of the platform, inside one snapshot. */
export interface JournalScope {
  readonly rows: Rows<JournalRow>
  /** Where a chain ends according to its head; undefined when there is no such chain. */
  chainEnd(chain: string): Promise<ChainEndRow | undefined>
}

export interface ChainEndRow {
  readonly sequence: number
  readonly chainHash: Uint8Array
}

export interface JournalReader {
  /** `headOf`: reads the end of the authority chain, which the tenant's head holds. */
  ofTenant<T>(
    context: TenantContext,
    headOf: (scope: ReadScope) => Promise<ChainEndRow | undefined>,
    work: (journal: JournalScope) => Promise<T>,
  ): Promise<T>
  ofPlatform<T>(work: (journal: JournalScope) => Promise<T>): Promise<T>
}

export function createJournalReader(
  scopes: Scopes,
  directory: Directory,
  capability: PlatformCapability<'platform-audit'>,
): JournalReader {
  return {
    ofTenant: (context, headOf, work) =>
      scopes.read(context, (scope) =>
        work({
          rows: scope.rows(JournalTable),
          chainEnd: (chain) => (chain === authorityChain ? headOf(scope) : scope.rows(AuditChainTable).find({ chain })),
        }),
      ),
    ofPlatform: (work) => directory.read(capability, (scope) => work(platformJournal(scope))),
  }
}

function platformJournal(scope: PlatformReadScope): JournalScope {
  return {
    rows: scope.rows(DirectoryJournalTable),
    chainEnd: (chain) =>
      chain === authorityChain
        ? scope.rows(DirectoryHeadTable).find({})
        : scope.rows(DirectoryChainTable).find({ chain }),
  }
}

/**
 * What each commit of authority behind that revision touched, in order; undefined when there are more than `limit`, or the
 * journal does not keep it any more. Revision and sequence of the authority chain go in step.
 */
export async function changesSince(
  scope: ReadScope,
  revision: number,
  limit: number,
): Promise<{ readonly changes: NonNullable<JournalRow['changes']> }[] | undefined> {
  const rows = await scope.rows(JournalTable).page({
    conditions: [
      { sql: 'row.chain = :chain', parameters: { chain: authorityChain } },
      { sql: 'row.sequence > :sequence', parameters: { sequence: revision } },
    ],
    orderBy: [{ property: 'sequence', descending: false }],
    limit: limit + 1,
  })
  if (rows.length > limit) return undefined
  const known = rows.flatMap(({ changes }) => (changes === null ? [] : [{ changes }]))
  return known.length === rows.length ? known : undefined
}
