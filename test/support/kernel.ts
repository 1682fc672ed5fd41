import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TenantId } from '../../src/base/ids.ts'
import { silentLog } from '../../src/observe/log.ts'
import { userRows } from '../../src/people/user-store.ts'
import { openPlatform, type Platform } from '../../src/platform.ts'
import { createRuntime } from '../../src/server.ts'
import { createJournalReader } from '../../src/tenancy/journal-store.ts'
import { readerContext } from '../../src/tenancy/reader-context.ts'
import type { TenantContext } from '../../src/tenancy/tenant-context.ts'
import type { Unit } from '../../src/tenancy/tenant-unit.ts'
import { type ChainVerdict, verifyChain } from '../../src/tenancy/verify-chain.ts'
import { headRows } from '../../src/tenants/tenant-store.ts'
import { TenantPlacementTable } from '../../src/tenants/tenant-table.ts'
import { copyDatabase } from './copy-database.ts'
import { openSideDoor, type SideDoor } from './side-door.ts'
import { databaseUrlOf } from './test-database.ts'
import { keyringSettingsOf } from './test-keyring.ts'
import { startTestServer, type TestServer, testConfig } from './test-server.ts'

/** The kernel under a running server, reached from the side: for what no RPC can be asked to do. */
export interface Kernel extends AsyncDisposable {
  readonly test: TestServer
  readonly platform: Platform
  readonly placementTable: typeof TenantPlacementTable
  headOf(tenantId: TenantId): Promise<{ revision: number; sequence: number }>
  verify(tenantId: TenantId): Promise<ChainVerdict>
  /** To the rows behind the kernel's back. */
  readonly sideDoor: SideDoor
  /** A copy of the database under a platform of its own, opened at the first verification: to be damaged before. */
  copy(): Promise<KernelCopy>
}

export interface KernelCopy extends AsyncDisposable {
  readonly sideDoor: SideDoor
  verify(tenantId: TenantId): Promise<ChainVerdict>
}

export async function openKernel(): Promise<Kernel> {
  const test = await startTestServer()
  const { platform } = test.server
  const sideDoor = await openSideDoor(test.databaseUrl)
  return {
    test,
    platform,
    placementTable: TenantPlacementTable,
    async headOf(tenantId) {
      const row = await platform.scopes.read(readerContext(tenantId), (scope) => headRows(scope).find({}))
      return { revision: row?.revision ?? -1, sequence: row?.sequence ?? -1 }
    },
    verify: (tenantId) => verifyIn(platform, tenantId),
    sideDoor,
    copy: () => copyOf(test),
    async [Symbol.asyncDispose]() {
      await sideDoor[Symbol.asyncDispose]()
      await test[Symbol.asyncDispose]()
    },
  }
}

async function copyOf({ databaseUrl, folder: original }: TestServer): Promise<KernelCopy> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-copy-'))
  await copyDatabase(databaseUrl, databaseUrlOf(folder))
  const sideDoor = await openSideDoor(databaseUrlOf(folder))
  let platform: Platform | undefined
  return {
    sideDoor,
    async verify(tenantId) {
      const config = testConfig(folder, keyringSettingsOf(original))
      platform = await openPlatform(config, createRuntime(config, { log: silentLog }))
      return verifyIn(platform, tenantId)
    },
    async [Symbol.asyncDispose]() {
      await sideDoor[Symbol.asyncDispose]()
      await platform?.[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function verifyIn({ scopes, directory, capabilities }: Platform, tenantId: TenantId): Promise<ChainVerdict> {
  const journal = createJournalReader(scopes, directory, capabilities['platform-audit'])
  const headOf = (scope: Parameters<typeof headRows>[0]) => headRows(scope).find({})
  return journal.ofTenant(readerContext(tenantId), headOf, (rows) =>
    verifyChain(rows, { tenantId, chain: 'authority' }, []),
  )
}

/** A context as the gate makes it for the root key, so that units of work can ask for it to be admitted again. */
export async function contextFor(kernel: Kernel, tenantId: TenantId): Promise<TenantContext> {
  const { gate, engines, authenticator } = kernel.platform
  const caller = await authenticator.authenticate(`Bearer ${kernel.test.rootKey}`)
  const slug = (await engines.of(tenantId))?.tenant.slug ?? ''
  const demand = { permission: 'users.create', workspaceItself: false, write: true, unknownPlaceIsAnAnswer: false }
  const context = await gate.admit(caller, { tenant: slug, workspace: '' }, demand, readerContext(tenantId).actor)
  if (context === undefined) throw new Error('not admitted')
  return context
}

export async function insertUserRow(unit: Unit, slug: string): Promise<void> {
  await userRows(unit).insert({
    tenantId: unit.context.tenantId,
    userId: crypto.randomUUID(),
    slug,
    issuer: 'https://idp.example',
    subject: slug,
    email: '',
    emailVerified: false,
    displayName: '',
    state: 'ACTIVE',
    version: 1,
    createTime: unit.now,
    updateTime: unit.now,
  })
}
