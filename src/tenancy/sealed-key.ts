import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, timeColumn } from '../base/columns.ts'

/** A key of the platform's own, sealed by the keyring: nothing in the database opens it. */
export interface SealedKeyRow {
  readonly keyName: string
  readonly envelope: Uint8Array
  readonly createTime: Date
}

export const SealedKeyTable = new EntitySchema<SealedKeyRow>({
  name: 'sealed_keys',
  columns: {
    keyName: asciiColumn('keyName', 63, { primary: true }),
    envelope: bytesColumn('envelope'),
    createTime: timeColumn('createTime'),
  },
})
