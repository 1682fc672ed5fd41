import { nilUuid, platformTenantId, type TenantId, tenantLevel, type WorkspaceId } from '../base/ids.ts'
import type { SealedPlace } from '../keyring/envelope.ts'
import { KeyringError } from '../keyring/keyring-error.ts'
import type { WorkspaceSealer } from '../keyring/workspace-sealer.ts'
import { readerContext } from '../tenancy/reader-context.ts'
import type { Scopes } from '../tenancy/scope.ts'
import { versionPlace } from './sealed-payload.ts'
import { secretVersionRows } from './secret-store.ts'
import type { SecretVersionRow } from './secret-version.ts'

export interface CiphertextFault {
  readonly secretVersionId: string
  /** `shut`: it does not open at its own place; else the part of the place that could be another. */
  readonly fault: 'shut' | 'version' | 'secret' | 'workspace' | 'tenant'
}

/** Tries values of a tenant at their place, where they must open, and at others, where they must not. Nothing that was opened is kept. */
export interface CiphertextAudit {
  look(tenantId: string, checked: (count: number) => void): Promise<readonly CiphertextFault[]>
}

/** Values of one tenant: the newest, because what is swapped is swapped to be used. */
const maxVersions = 50
const elsewhere = ['version', 'secret', 'workspace', 'tenant'] as const

export function createCiphertextAudit(scopes: Scopes, sealer: WorkspaceSealer): CiphertextAudit {
  return {
    async look(tenantId, checked) {
      const rows = await scopes.readAllWorkspaces(readerContext(tenantId), 'isolation-survey', (scope) =>
        secretVersionRows(scope).page({
          conditions: [{ sql: 'row.state != :destroyed', parameters: { destroyed: 'DESTROYED' } }],
          orderBy: [
            { property: 'createTime', descending: true },
            { property: 'secretVersionId', descending: true },
          ],
          limit: maxVersions,
        }),
      )
      const faults: CiphertextFault[] = []
      for (const [at, row] of rows.entries()) {
        if (row.envelope === null) continue
        checked(1)
        const { secretVersionId } = row
        const home = placeOf(row)
        if ((await tryAt(sealer, home, row.envelope)) === 'shut') faults.push({ secretVersionId, fault: 'shut' })
        // One other place for each: each costs a question to the keyring.
        const fault = elsewhere[at % elsewhere.length] ?? 'tenant'
        if ((await tryAt(sealer, moved(home, fault), row.envelope)) === 'opened')
          faults.push({ secretVersionId, fault })
      }
      return faults
    },
  }
}

function placeOf(row: SecretVersionRow): SealedPlace {
  const place = { tenantId: row.tenantId as TenantId, workspaceId: row.workspaceId as WorkspaceId }
  return versionPlace(place, row.secretId, row.number)
}

function moved(home: SealedPlace, part: (typeof elsewhere)[number]): SealedPlace {
  switch (part) {
    case 'version':
      return { ...home, version: home.version + 1 }
    case 'secret':
      return { ...home, objectId: nilUuid }
    case 'workspace':
      return { ...home, workspaceId: tenantLevel }
    case 'tenant':
      return { ...home, tenantId: platformTenantId }
  }
}

type Tried = 'opened' | 'shut' | 'destroyed'

async function tryAt(sealer: WorkspaceSealer, place: SealedPlace, envelope: Uint8Array): Promise<Tried> {
  try {
    const value = await sealer.open(place, envelope)
    value.fill(0)
    return 'opened'
  } catch (error) {
    if (!(error instanceof KeyringError)) throw error
    // Away is no answer; what was destroyed opens nowhere, as it should.
    if (error.reason === 'UNAVAILABLE' || error.reason === 'INVALID') throw error
    return error.reason === 'DESTROYED' ? 'destroyed' : 'shut'
  }
}
