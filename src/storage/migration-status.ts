import { StartError } from '../base/start-error.ts'
import type { DatabaseRole, Migration } from './migrations/migration.ts'
import { migrations, schemaVersion } from './migrations/migrations.ts'

export interface MigrationStatus {
  readonly number: number
  readonly name: string
  readonly role: DatabaseRole
  /** Unset while it is not applied. */
  readonly applyTime: string | undefined
}

/** When each migration was applied, by its number. */
export type AppliedMigrations = ReadonlyMap<number, string>

export function migrationStatusFrom(applied: AppliedMigrations): MigrationStatus[] {
  return migrations.map(({ number, name, role }) => ({ number, name, role, applyTime: applied.get(number) }))
}

/** What is still to be applied, in order. A schema of a newer program is refused: this one does not know what it would break. */
export function missingMigrations(applied: AppliedMigrations): Migration[] {
  const newest = Math.max(0, ...applied.keys())
  if (newest > schemaVersion) {
    throw new StartError(
      `The database is at schema ${newest}, newer than this program knows (${schemaVersion}). Start the newer version.`,
    )
  }
  return migrations.filter(({ number }) => !applied.has(number))
}
