import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { TenureError } from '../../src/base/errors.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer } from '../support/test-server.ts'

test('a database that goes away while the restored directory is read leaves nobody in who is no more', async () => {
  await using server = await startTestServer()
  await using rows = await openSideDoor(server.databaseUrl)
  const { storage, feeds } = server.server.platform
  const serviceAccount = { roles: ['roles/platform.admin'] }
  await server.client(ServiceAccountService).createServiceAccount({ serviceAccountId: 'ops', serviceAccount })
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/ops' }
  const { secret } = await server.client(ApiKeyService).createApiKey({ apiKey: { owner } })
  expect(await reasonOf(server.client(TenantService, secret).listTenants({}))).toBe('OK')
  // As it was before the account was made, and on a timeline of its own.
  await rows.run('DELETE FROM platform_service_accounts WHERE slug = ?', ['ops'])
  await rows.run('UPDATE directory_heads SET timeline_id = ?', [randomUUID()])
  type Read = (binding: { readonly purpose?: string }, work: unknown) => Promise<unknown>
  const directory = storage.directory as unknown as { read: Read }
  const { read } = directory
  directory.read = (binding, work) => {
    if (binding.purpose !== 'permission-catalogue') return read(binding, work)
    directory.read = read
    return Promise.reject(new TenureError('DATABASE_UNAVAILABLE', 'away for a moment'))
  }
  await expect(feeds.compareDirectory()).rejects.toThrow('away for a moment')
  await feeds.compareDirectory()
  expect(await reasonOf(server.client(TenantService, secret).listTenants({}))).toBe('CREDENTIAL_INVALID')
})
