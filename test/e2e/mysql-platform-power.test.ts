import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { nextWriteOf, ofPurpose } from '../support/interleave.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let one: TestServer
let two: TestServer
let opsKey: string

const name = 'serviceAccounts/ops'
const full = ['roles/platform.admin', 'roles/admin']
/** May still change service accounts, and no longer give away what operators of the platform have. */
const reduced = ['roles/admin']

beforeAll(async () => {
  one = await startTestServer()
  two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-2' } })
  const serviceAccount = { roles: full }
  await one.client(ServiceAccountService).createServiceAccount({ serviceAccountId: 'ops', serviceAccount })
  const owner = { case: 'serviceAccount' as const, value: name }
  const { secret, revision } = await one.client(ApiKeyService).createApiKey({ apiKey: { owner } })
  opsKey = secret
  await two.client(TenantService).listTenants({ atLeastRevision: revision })
})

afterAll(async () => {
  await two[Symbol.asyncDispose]()
  await one[Symbol.asyncDispose]()
})

function setRoles(server: TestServer, roles: string[], key?: string) {
  return server
    .client(ServiceAccountService, key)
    .updateServiceAccount({ serviceAccount: { name, roles }, updateMask: { paths: ['roles'] } })
}

test('an operator whose power was taken on one server cannot give it back to itself on another, however quickly', async () => {
  const outcomes: string[] = []
  for (let round = 0; round < 12; round += 1) {
    const { revision } = await setRoles(one, full)
    await two.client(TenantService).listTenants({ atLeastRevision: revision })
    // At any distance from the next poll of the other server.
    await new Promise((resolve) => setTimeout(resolve, round * 23))
    await setRoles(one, reduced)
    outcomes.push(await reasonOf(setRoles(two, full, opsKey)))
    const { serviceAccount } = await one.client(ServiceAccountService).getServiceAccount({ name })
    expect([...(serviceAccount?.roles ?? [])]).toEqual(reduced)
  }
  expect(new Set(outcomes)).toEqual(new Set(['GRANT_EXCEEDS_CALLER']))
})

test('what is taken while the attempt is under way is taken: one of the two comes first, and the end is the same', async () => {
  for (let round = 0; round < 12; round += 1) {
    const { revision } = await setRoles(one, full)
    await two.client(TenantService).listTenants({ atLeastRevision: revision })
    await Promise.all([setRoles(one, reduced), reasonOf(setRoles(two, full, opsKey))])
    // Whatever came last stands; with the reduced roles there is no way back.
    await setRoles(one, reduced)
    expect(await reasonOf(setRoles(two, full, opsKey))).not.toBe('OK')
  }
})

test('an operator whose power was taken on one server can purge nothing on another that has not heard of it', async () => {
  const { revision } = await setRoles(one, full)
  await one.client(TenantService).createTenant({ tenantId: 'acme' })
  await one.client(TenantService).deleteTenant({ name: 'tenants/acme', force: true })
  await two.client(TenantService).listTenants({ atLeastRevision: revision })
  const heard = Promise.withResolvers<void>()
  const deaf = Promise.withResolvers<void>()
  nextWriteOf(two.server.platform.storage.directory, ofPurpose('directory-feed'), async (write, work) => {
    deaf.resolve()
    await heard.promise
    return write(work)
  })
  await deaf.promise
  try {
    await setRoles(one, [])
    expect(await reasonOf(two.client(TenantService, opsKey).purgeTenant({ name: 'tenants/acme' }))).toBe(
      'PERMISSION_MISSING',
    )
  } finally {
    heard.resolve()
  }
})
