import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, integerColumn } from '../base/columns.ts'

/** Where a chain other than the authority chain has come to; the authority chain's end is on the head. */
export interface ChainRow {
  readonly tenantId: string
  readonly chain: string
  readonly sequence: number
  readonly chainHash: Uint8Array
}

/** The head of the directory: what a tenant's head is to the tenant. */
export interface DirectoryHeadRow {
  readonly tenantId: string
  readonly timelineId: string
  readonly placementEpoch: number
  readonly revision: number
  readonly sequence: number
  readonly chainHash: Uint8Array
}

function chainColumns() {
  return {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    chain: asciiColumn('chain', 100, { primary: true }),
    sequence: integerColumn('sequence'),
    chainHash: bytesColumn('chainHash', { length: 32 }),
  }
}

export const AuditChainTable = new EntitySchema<ChainRow>({ name: 'audit_chains', columns: chainColumns() })

export const DirectoryChainTable = new EntitySchema<ChainRow>({ name: 'directory_chains', columns: chainColumns() })

export const DirectoryHeadTable = new EntitySchema<DirectoryHeadRow>({
  name: 'directory_heads',
  columns: {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    timelineId: asciiColumn('timelineId', 36),
    placementEpoch: integerColumn('placementEpoch'),
    revision: integerColumn('revision'),
    sequence: integerColumn('sequence'),
    chainHash: bytesColumn('chainHash', { length: 32 }),
  },
})
