import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '../../../src/base/ids.ts'
import { decodeRevision } from '../../../src/base/revision.ts'
import { CreateSecretResponseSchema } from '../../../src/gen/tenure/v1/secret_service_pb.ts'
import { WorkspaceService } from '../../../src/gen/tenure/v1/workspace_service_pb.ts'
import { secretRows } from '../../../src/secrets/secret-store.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import { createJournalReader } from '../../../src/tenancy/journal-store.ts'
import type { TenantContext } from '../../../src/tenancy/tenant-context.ts'
import type { Unit } from '../../../src/tenancy/tenant-unit.ts'
import { verifyChain } from '../../../src/tenancy/verify-chain.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../../support/fixture.ts'
import { contextFor, insertUserRow, type Kernel, openKernel } from '../../support/kernel.ts'

let kernel: Kernel
let acme: TenantFixture
let tenantId: TenantId

beforeAll(async () => {
  kernel = await openKernel()
  await seedPermissions(kernel.test)
  acme = await seedTenant(kernel.test, 'acme')
  tenantId = acme.uid as TenantId
})

afterAll(() => kernel[Symbol.asyncDispose]())

const mutation = {
  ...{ event: 'secrets.create', target: 'a secret', idempotency: undefined, validateOnly: false },
  response: CreateSecretResponseSchema,
}

let made = 0

async function newWorkspace(): Promise<string> {
  made += 1
  const workspaceId = `volume-${made}`
  await kernel.test.client(WorkspaceService).createWorkspace({ parent: acme.name, workspaceId })
  return workspaceId
}

/** As the gate makes it for the root key at the workspace. */
async function at(workspace: string): Promise<TenantContext> {
  const { gate, authenticator } = kernel.platform
  const caller = await authenticator.authenticate(`Bearer ${kernel.test.rootKey}`)
  const demand = { permission: 'secrets.create', workspaceItself: false, write: true, unknownPlaceIsAnAnswer: false }
  const actor = { principal: 'serviceAccounts/test', credential: 'apiKeys/test', requestId: 'test', clientIp: '' }
  const context = await gate.admit(caller, { tenant: 'acme', workspace }, demand, actor)
  if (context === undefined) throw new Error('not admitted')
  return context
}

async function insertSecret(unit: Unit, slug: string): Promise<void> {
  const { tenantId: tenant, workspaceId } = unit.context
  await secretRows(unit).insert({
    ...{ tenantId: tenant, workspaceId, secretId: crypto.randomUUID(), slug, labels: {}, latestVersion: 0 },
    ...{ versionCount: 0, version: 1, createTime: unit.now, updateTime: unit.now },
  })
}

const write = (context: TenantContext, slug: string, lastingMs = 0) =>
  kernel.platform.scopes.writeVolume(context, mutation, async (unit) => {
    await new Promise((resolve) => setTimeout(resolve, lastingMs))
    await insertSecret(unit, slug)
    return create(CreateSecretResponseSchema, { revision: unit.revision })
  })

/** The verdict on the chain of that workspace. */
function verify({ tenantId: tenant, workspaceId }: TenantContext) {
  const { scopes, directory, capabilities } = kernel.platform
  const journal = createJournalReader(scopes, directory, capabilities['platform-audit'])
  const bare = { tenantId: tenant, workspaceId } as TenantContext
  return journal.ofTenant(
    bare,
    async () => undefined,
    (rows) => verifyChain(rows, { tenantId: tenant, chain: `workspace/${workspaceId}` }, []),
  )
}

test('a unit of volume makes no revision, and its token is that of the present one', async () => {
  const context = await at(await newWorkspace())
  const before = await kernel.headOf(tenantId)
  const { revision } = await write(context, 'first')
  expect(await kernel.headOf(tenantId)).toEqual(before)
  expect(decodeRevision(revision)?.tenantRevision).toBe(before.revision)
  expect(await verify(context)).toMatchObject({ valid: true, verifiedCount: 1 })
})

test('the chain of a workspace begins once, however many write to it first', async () => {
  const context = await at(await newWorkspace())
  // Long enough that two are under way at once.
  await Promise.all(Array.from({ length: 6 }, (_, n) => write(context, `s-${n}`, 50)))
  expect(await verify(context)).toMatchObject({ valid: true, verifiedCount: 6 })
})

test('units of volume and of authority of one tenant go on beside each other, without one lost or refused', async () => {
  const places = [await at(await newWorkspace()), await at(await newWorkspace()), await at(await newWorkspace())]
  const authority = await contextFor(kernel, tenantId)
  const before = await kernel.headOf(tenantId)
  const users = Array.from({ length: 15 }, (_, n) =>
    kernel.platform.scopes.write(authority, mutation, async (unit) => {
      await insertUserRow(unit, `beside-${n}`)
      return create(CreateSecretResponseSchema)
    }),
  )
  const volume = Array.from({ length: 45 }, (_, n) => write(places[n % 3] as TenantContext, `s-${n}`))
  await Promise.all([...users, ...volume])
  expect((await kernel.headOf(tenantId)).revision).toBe(before.revision + 15)
  for (const place of places) expect(await verify(place)).toMatchObject({ valid: true, verifiedCount: 15 })
  expect((await kernel.verify(tenantId)).valid).toBe(true)
})

test('of a unit of volume that fails, nothing is written', async () => {
  const context = await at(await newWorkspace())
  await write(context, 'kept')
  const failing = kernel.platform.scopes.writeVolume(context, mutation, async (unit) => {
    await insertSecret(unit, 'lost')
    throw new Error('in the middle')
  })
  await expect(failing).rejects.toThrow('in the middle')
  const rows = await kernel.platform.scopes.read(context, (scope) => secretRows(scope).all({}))
  expect(rows.map(({ slug }) => slug)).toEqual(['kept'])
  expect(await verify(context)).toMatchObject({ valid: true, verifiedCount: 1 })
})

test('who was admitted before the workspace was archived is refused under the lock', async () => {
  const workspace = await newWorkspace()
  const context = await at(workspace)
  await kernel.test.client(WorkspaceService).archiveWorkspace({ name: `${acme.name}/workspaces/${workspace}` })
  await expect(write(context, 'late')).rejects.toMatchObject({ reason: 'WORKSPACE_ARCHIVED' })
})

test('a unit of volume reaches its own workspace and no other, and refuses to delete everything', async () => {
  const [here, there] = [await at(await newWorkspace()), await at(await newWorkspace())]
  await write(there, 'theirs')
  const tried = kernel.platform.scopes.writeVolume(here, mutation, async (unit) => {
    expect(await secretRows(unit).all({})).toEqual([])
    expect(await secretRows(unit).deleteAll({ slug: 'theirs' })).toBe(0)
    await expect(secretRows(unit).deleteAll({})).rejects.toThrow(/every row/)
    await unit.rowsOfAllWorkspaces(SecretTable).all({})
    return create(CreateSecretResponseSchema)
  })
  await expect(tried).rejects.toThrow(/guard/i)
  const rows = await kernel.platform.scopes.read(there, (scope) => secretRows(scope).all({}))
  expect(rows).toHaveLength(1)
})

test('a page that leaves a property out does not read it', async () => {
  const context = await at(await newWorkspace())
  await write(context, 'long')
  const query = { conditions: [], orderBy: [{ property: 'slug', descending: false }], limit: 10 }
  const [whole, without] = await kernel.platform.scopes.read(context, async (scope) => [
    await secretRows(scope).page(query),
    await secretRows(scope).page({ ...query, without: ['labels'] }),
  ])
  expect(whole?.map(({ slug, labels }) => [slug, labels])).toEqual([['long', {}]])
  expect(without?.map(({ slug, labels }) => [slug, labels])).toEqual([['long', undefined]])
})
