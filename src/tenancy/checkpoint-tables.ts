import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, integerColumn, timeColumn } from '../base/columns.ts'

/** A signed statement of where chains were, as it is shipped outside the database. */
export interface AuditCheckpointRow {
  /** Counts from 1, without gaps, over all servers. */
  readonly number: number
  /** Name of the server that made it. */
  readonly maker: string
  /** JWS in compact form. */
  readonly document: Uint8Array
  readonly createTime: Date
  /** Null: nobody outside has it yet. */
  readonly shippedTime: Date | null
}

/** The newest checkpoint that holds a chain: an index into the documents, believed only as far as a document says the same. */
export interface AuditCheckpointEndRow {
  readonly tenantId: string
  readonly chain: string
  readonly sequence: number
  readonly chainHash: Uint8Array
  /** Of the chain's tenant then: after a restore a chain may go on from an earlier event. */
  readonly timelineId: string
  readonly number: number
  readonly createTime: Date
}

export const AuditCheckpointTable = new EntitySchema<AuditCheckpointRow>({
  name: 'audit_checkpoints',
  columns: {
    number: integerColumn('number', { primary: true }),
    maker: asciiColumn('maker', 40),
    document: bytesColumn('document'),
    createTime: timeColumn('createTime'),
    shippedTime: timeColumn('shippedTime', { nullable: true }),
  },
  indices: [{ name: 'audit_checkpoints_shipped', columns: ['shippedTime', 'number'] }],
})

export const AuditCheckpointEndTable = new EntitySchema<AuditCheckpointEndRow>({
  name: 'audit_checkpoint_ends',
  columns: {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    chain: asciiColumn('chain', 100, { primary: true }),
    sequence: integerColumn('sequence'),
    chainHash: bytesColumn('chainHash', { length: 32 }),
    timelineId: asciiColumn('timelineId', 36),
    number: integerColumn('number'),
    createTime: timeColumn('createTime'),
  },
  indices: [
    { name: 'audit_checkpoint_ends_number', columns: ['number'] },
    { name: 'audit_checkpoint_ends_created', columns: ['createTime'] },
  ],
})
