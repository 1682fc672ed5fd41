import type { RowContent } from '../tenancy/rows.ts'
import type { ChangedFacts } from './engine/facts.ts'
import { accountFact, apiKeyFact, membershipFact, roleFact, userFact, workspaceFact } from './facts-reader.ts'

type Facts = Omit<ChangedFacts, 'tenant'>

const factFrom: Readonly<Record<string, { readonly of: keyof Facts; readonly from: (row: never) => unknown }>> = {
  workspaces: { of: 'workspaces', from: workspaceFact },
  users: { of: 'principals', from: userFact },
  service_accounts: { of: 'principals', from: accountFact },
  roles: { of: 'roles', from: roleFact },
  memberships: { of: 'memberships', from: membershipFact },
  api_keys: { of: 'apiKeys', from: apiKeyFact },
}

/**
 * The facts of a commit without reading anything: only where all of it was inserted or deleted by this process, so that
 * what was sent is what is stored. Undefined: it has to be read. Tables that nobody is decided by do not count.
 */
export function factsOfCommit(
  changes: readonly (readonly [table: string, workspaceId: string, id: string])[],
  contents: readonly RowContent[],
): Facts | undefined {
  const facts = {
    workspaces: new Map(),
    principals: new Map(),
    roles: new Map(),
    memberships: new Map(),
    apiKeys: new Map(),
  } satisfies Facts
  for (const [at, [table, , id]] of changes.entries()) {
    if (table === 'tenant_heads') return undefined
    const known = factFrom[table]
    if (known === undefined) continue
    const content = contents[at]
    if (content === undefined) return undefined
    facts[known.of].set(id, content === null ? undefined : known.from(content as never))
  }
  return facts
}
