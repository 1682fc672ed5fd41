import { create } from '@bufbuild/protobuf'
import type { Clock } from '../base/clock.ts'
import { placeName, principalNameIn } from '../base/resource-name.ts'
import {
  type AccessDiff,
  type AccessDiff_Change,
  AccessDiff_Change_Kind,
  AccessDiff_ChangeSchema,
  type AccessDiff_Warning,
  AccessDiff_Warning_Code,
  AccessDiff_WarningSchema,
  AccessDiffSchema,
} from '../gen/tenure/v1/access_diff_pb.ts'
import type { AllWorkspacesPurpose, Unit } from '../tenancy/tenant-unit.ts'
import { BindingBudget } from './engine/binding-cache.ts'
import type { Bitset } from './engine/bitset.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import type { PrincipalFact, TenantFacts, WorkspaceFact } from './engine/facts.ts'
import { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Engines } from './engines.ts'
import { readTenantFacts } from './facts-reader.ts'
import { powerOfPrincipal } from './power.ts'

/** Tells what a unit of work, as far as it has come, would change in what people may do. */
export interface AccessDiffs {
  /** What a unit of work must be opened for, to have its diff told. */
  opening(validateOnly: boolean): { readonly allWorkspaces?: AllWorkspacesPurpose }
  /** The field of a response that carries the diff: with validate_only alone. `principals`: uids to look at; all when unset. */
  field(unit: Unit, validateOnly: boolean, principals?: readonly string[]): Promise<{ accessDiff?: AccessDiff }>
}

export interface AccessDiffsParts {
  readonly engines: Engines
  readonly catalogue: PermissionCatalogue
  readonly clock: Clock
}

const maxChanges = 1_000

/** Powers that beget power. */
const dangerous: ReadonlySet<string> = new Set([
  'apiKeys.create',
  'memberships.create',
  'memberships.update',
  'roles.create',
  'roles.update',
  'tenants.delete',
])

/** Compares the tenant as it is decided by now with the tenant as the open transaction sees it: the real rows of the real write. */
export function createAccessDiffs(parts: AccessDiffsParts): AccessDiffs {
  return {
    opening: (validateOnly) => (validateOnly ? { allWorkspaces: 'access-snapshot' } : {}),
    field: async (unit, validateOnly, principals) =>
      validateOnly ? { accessDiff: await diffOf(parts, unit, principals) } : {},
  }
}

async function diffOf(
  { engines, catalogue, clock }: AccessDiffsParts,
  unit: Unit,
  principals: readonly string[] | undefined,
): Promise<AccessDiff> {
  const before = await engines.of(unit.context.tenantId)
  const facts = await readTenantFacts({ context: unit.context, rows: unit.rowsOfAllWorkspaces })
  if (before === undefined || facts === undefined) throw new Error('the tenant of an open unit is not there')
  // Compiled for this one comparison: it takes no share of what the engine may keep.
  const budget = new BindingBudget(Number.MAX_SAFE_INTEGER, () => undefined)
  const quiet = { alarm: () => undefined, directoryRevision: () => 0 }
  const after = new TenantSnapshot(facts, { catalogue, budget, ...quiet })
  const looked = facts.principals.filter(
    ({ principalId, active }) => active && (principals?.includes(principalId) ?? true),
  )
  const comparison = new Comparison(before, after, catalogue, clock.nowMs())
  for (const principal of looked) comparison.look(principal)
  return create(AccessDiffSchema, {
    changes: comparison.changes,
    warnings: [...warningsFrom(comparison.changes), ...unknownIn(facts, catalogue)],
    truncated: comparison.truncated,
  })
}

class Comparison {
  readonly changes: AccessDiff_Change[] = []
  truncated = false
  readonly #before: TenantSnapshot
  readonly #after: TenantSnapshot
  readonly #catalogue: PermissionCatalogue
  readonly #nowMs: number

  constructor(before: TenantSnapshot, after: TenantSnapshot, catalogue: PermissionCatalogue, nowMs: number) {
    this.#before = before
    this.#after = after
    this.#catalogue = catalogue
    this.#nowMs = nowMs
  }

  look(principal: PrincipalFact): void {
    this.#lookAt(principal, undefined)
    for (const workspace of this.#after.workspaces()) {
      if (workspace.state !== 'DELETED') this.#lookAt(principal, workspace)
    }
  }

  #lookAt(principal: PrincipalFact, workspace: WorkspaceFact | undefined): void {
    const had = powerOfPrincipal(this.#before, principal, workspace, this.#nowMs)
    const has = powerOfPrincipal(this.#after, principal, workspace, this.#nowMs)
    this.#add(principal, workspace, has, had, AccessDiff_Change_Kind.GAINED)
    this.#add(principal, workspace, had, has, AccessDiff_Change_Kind.LOST)
  }

  #add(
    principal: PrincipalFact,
    workspace: WorkspaceFact | undefined,
    inThis: Bitset,
    notInThat: Bitset,
    kind: AccessDiff_Change_Kind,
  ): void {
    if (notInThat.containsAll(inThis)) return
    const tenant = this.#after.tenant.slug
    const only = inThis.indexes().filter((index) => !notInThat.has(index))
    for (const permission of only.map((index) => this.#catalogue.nameAt(index) ?? '').sort()) {
      if (this.changes.length === maxChanges) {
        this.truncated = true
        return
      }
      const change = {
        principal: principalNameIn({ tenant, workspace: '' }, principal),
        workspace: workspace === undefined ? '' : placeName({ tenant, workspace: workspace.slug }),
        permission,
        kind,
      }
      this.changes.push(create(AccessDiff_ChangeSchema, change))
    }
  }
}

function warningsFrom(changes: readonly AccessDiff_Change[]): AccessDiff_Warning[] {
  if (changes.length === 0) {
    const message = 'Nobody would gain or lose anything.'
    return [create(AccessDiff_WarningSchema, { code: AccessDiff_Warning_Code.REDUNDANT, message })]
  }
  const grave = changes.filter(
    ({ kind, permission }) => kind === AccessDiff_Change_Kind.GAINED && dangerous.has(permission),
  )
  return [...new Set(grave.map(({ permission }) => permission))].map((permission) =>
    create(AccessDiff_WarningSchema, {
      code: AccessDiff_Warning_Code.DANGEROUS,
      message: `${permission} would be gained: it gives power over the power of others, or over the whole tenant.`,
    }),
  )
}

function unknownIn({ roles }: TenantFacts, catalogue: PermissionCatalogue): AccessDiff_Warning[] {
  const unknown = new Set(roles.flatMap(({ permissions }) => permissions).filter((name) => !catalogue.has(name)))
  return [...unknown].sort().map((permission) =>
    create(AccessDiff_WarningSchema, {
      code: AccessDiff_Warning_Code.UNKNOWN,
      message: `${permission} stands in a role but not in the catalogue: it grants nothing.`,
    }),
  )
}
