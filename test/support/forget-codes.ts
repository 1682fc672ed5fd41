import { codedOf } from '../../src/base/coded-columns.ts'
import { codeKeys } from '../../src/platform-keys.ts'
import { allCellTables, directoryTables } from '../../src/tables.ts'
import { codeAnchors, forgetAnchor } from './keyring-anchor.ts'
import type { SideDoor } from './side-door.ts'
import type { TestServer } from './test-server.ts'

/** Tables whose rows carry codes, as the database calls them. */
export const codedTables: readonly string[] = [...allCellTables, ...directoryTables]
  .filter((table) => codedOf(table) !== undefined)
  .map(({ options }) => options.tableName ?? options.name)

/** As a version without codes leaves an installation behind. */
export async function forgetCodes({ config }: Pick<TestServer, 'config'>, rows: SideDoor): Promise<void> {
  for (const anchor of codeAnchors) await forgetAnchor(config, anchor)
  await takeCodesAway(rows)
}

/** As somebody would who can write the database, and has no keyring. */
export async function takeCodesAway(rows: SideDoor): Promise<void> {
  for (const { name } of Object.values(codeKeys)) await rows.run('DELETE FROM sealed_keys WHERE key_name = ?', [name])
  for (const table of codedTables) await rows.run(`UPDATE ${table} SET row_code = NULL`)
}
