import { notFound } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import { parseName } from '../base/resource-name.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { SecretRow } from './secret.ts'
import { SecretTable } from './secret-table.ts'
import type { SecretVersionRow } from './secret-version.ts'
import { SecretVersionTable } from './secret-version-table.ts'

/** The secrets of the scope's workspace. */
export function secretRows(scope: ReadScope): Rows<SecretRow> {
  return scope.rows(SecretTable)
}

/** The versions of all secrets of the scope's workspace. */
export function secretVersionRows(scope: ReadScope): Rows<SecretVersionRow> {
  return scope.rows(SecretVersionTable)
}

/** By the name of the secret, or of one of its versions. Throws NOT_FOUND. */
export async function findSecret(scope: ReadScope, name: string, etag = ''): Promise<SecretRow> {
  const row = await secretRows(scope).find({ slug: parseName(name)?.id ?? '' })
  if (row === undefined) throw notFound()
  checkEtag(etag, row.secretId, row.version)
  return row
}

/** By the name of the version; `versions/latest` is the newest one, whatever its state. Throws NOT_FOUND. */
export async function findVersion(
  scope: ReadScope,
  name: string,
): Promise<{ readonly secret: SecretRow; readonly version: SecretVersionRow }> {
  const secret = await findSecret(scope, name)
  const part = parseName(name)?.part ?? ''
  const number = part === 'latest' ? secret.latestVersion : Number(part)
  const version = await secretVersionRows(scope).find({ secretId: secret.secretId, number })
  if (version === undefined) throw notFound()
  return { secret, version }
}
