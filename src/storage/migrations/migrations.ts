import { directoryTables } from './0001-directory.ts'
import { cellTables } from './0002-cell.ts'
import { cellFeed } from './0003-feed.ts'
import { directoryFeed } from './0004-directory-feed.ts'
import { signingKeys } from './0005-signing-keys.ts'
import { secrets } from './0006-secrets.ts'
import { operations } from './0007-operations.ts'
import { diagnostics } from './0008-diagnostics.ts'
import { auditCheckpoints } from './0009-audit-checkpoints.ts'
import { rowCodes } from './0010-row-codes.ts'
import { placeCodes } from './0011-place-codes.ts'
import { operationCodes } from './0012-operation-codes.ts'
import type { Migration } from './migration.ts'

/** The one list. Order is by number; a number is never reused and a migration that was released is never changed. */
export const migrations: readonly Migration[] = [
  directoryTables,
  cellTables,
  cellFeed,
  directoryFeed,
  signingKeys,
  secrets,
  operations,
  diagnostics,
  auditCheckpoints,
  rowCodes,
  placeCodes,
  operationCodes,
]

export const schemaVersion = migrations.length
