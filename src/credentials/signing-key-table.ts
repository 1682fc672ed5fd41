import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, jsonColumn, timeColumn } from '../base/columns.ts'
import type { SigningKeyRow } from './signing-key.ts'

export const SigningKeyTable = new EntitySchema<SigningKeyRow>({
  name: 'signing_keys',
  columns: {
    signingKeyId: asciiColumn('signingKeyId', 36, { primary: true }),
    kid: asciiColumn('kid', 43),
    algorithm: asciiColumn('algorithm', 20),
    publicKey: jsonColumn('publicKey'),
    envelope: bytesColumn('envelope'),
    state: asciiColumn('state', 20),
    createTime: timeColumn('createTime'),
    activateTime: timeColumn('activateTime', { nullable: true }),
  },
  indices: [{ name: 'signing_keys_kid', columns: ['kid'], unique: true }],
})
