import { pinsOf, type Table } from '../../tenancy/pins.ts'
import type { Reference, RowSurvey, TenantSlice } from '../../tenancy/row-survey.ts'
import type { Looking, Probe } from './probe.ts'

/**
 * What refers to what. Roles of memberships are a list in one column; the probe of decisions sees those. Keys outlive their
 * owner, revoked.
 */
const references: readonly Reference[] = [
  ...toPrincipals('memberships', 'principal', []),
  ...toPrincipals('api_keys', 'owner', [{ column: 'state', value: 'ACTIVE' }]),
  { from: 'secret_versions', column: 'secret_id', to: 'secrets', target: 'secret_id', sameWorkspace: true, when: [] },
]

function toPrincipals(from: string, noun: string, also: Reference['when']): Reference[] {
  const of = { from, column: `${noun}_id`, sameWorkspace: false }
  const when = (value: string) => [{ column: `${noun}_kind`, value }, ...also]
  return [
    { ...of, to: 'users', target: 'user_id', when: when('user') },
    { ...of, to: 'service_accounts', target: 'service_account_id', when: when('service_account') },
  ]
}

/** Workspace tables whose rows may belong to the tenant itself. */
const alsoOfTenant: ReadonlySet<string> = new Set(['memberships', 'api_keys', 'retired_names'])

/** Uids of tenants whose rows a purge is taking away just now: what is left of them is no finding. */
export type BeingPurged = () => Promise<ReadonlySet<string>>

/** Asked before the rows are read, and where there is something after it: a purge may end or begin meanwhile. */
async function notOf<Row extends { readonly tenantId: string }>(
  beingPurged: BeingPurged,
  survey: () => Promise<Row[]>,
): Promise<Row[]> {
  const before = await beingPurged()
  const rows = (await survey()).filter(({ tenantId }) => !before.has(tenantId))
  if (rows.length === 0) return rows
  const after = await beingPurged()
  return rows.filter(({ tenantId }) => !after.has(tenantId))
}

/** Whether every row belongs to a tenant that is there, and to a workspace of it. */
export function ownershipProbe(survey: RowSurvey, tables: readonly Table[], beingPurged: BeingPurged): Probe {
  return {
    name: 'ownership',
    async look(looking) {
      for await (const slice of survey.slices())
        for (const table of tables) await lookAtOwners(looking, survey, beingPurged, table, slice)
    },
  }
}

async function lookAtOwners(
  { checked, found, pause }: Looking,
  survey: RowSurvey,
  beingPurged: BeingPurged,
  table: Table,
  slice: TenantSlice,
): Promise<void> {
  await pause()
  const { table: subject, columns } = pinsOf(table)
  checked(await survey.count(table, slice))
  for (const { tenantId } of await notOf(beingPurged, () => survey.tenantless(table, slice))) {
    const description = `Rows of ${subject} name a tenant that is not there, or was purged.`
    found({ kind: 'tenantless-row', tenantUid: tenantId, subject, description })
  }
  if (!columns.includes('workspace_id')) return
  const workspaceless = () => survey.workspaceless(table, slice, alsoOfTenant.has(subject))
  for (const { tenantId, id } of await notOf(beingPurged, workspaceless)) {
    const description = `Rows of ${subject} name the workspace ${id}, which their tenant does not have.`
    found({ kind: 'workspaceless-row', tenantUid: tenantId, subject, description })
  }
}

/** Whether what rows refer to is there, in the same tenant. */
export function referencesProbe(survey: RowSurvey, beingPurged: BeingPurged): Probe {
  return {
    name: 'references',
    async look({ checked, found, pause }) {
      for await (const slice of survey.slices()) {
        for (const reference of references) {
          await pause()
          checked()
          const subject = `${reference.from}.${reference.column}`
          for (const { tenantId, id, heldBy } of await notOf(beingPurged, () => survey.broken(reference, slice))) {
            const kind = heldBy === '' ? 'orphan-reference' : 'cross-tenant-reference'
            const where = heldBy === '' ? 'nobody has' : `tenant ${heldBy} has`
            const description = `A row of ${reference.from} refers to ${id} of ${reference.to}, which ${where}.`
            found({ kind, tenantUid: tenantId, subject, description })
          }
        }
      }
    },
  }
}
