import { createFactsReader } from '../../src/access/facts-reader.ts'
import { openBook } from '../../src/audit-checkpoints.ts'
import { codeFamilies } from '../../src/base/coded-columns.ts'
import { platformTenantId, type TenantId, tenantLevel } from '../../src/base/ids.ts'
import { beginTimelinesAfterRestore } from '../../src/restored.ts'
import type { Runtime } from '../../src/server.ts'
import type { Database } from '../../src/storage/database.ts'
import { type AccessFact, writeBatches } from '../../src/tenancy/access-batch.ts'
import { createChainEnds } from '../../src/tenancy/chain-ends.ts'
import { giveCodes } from '../../src/tenancy/coded-rows.ts'
import { sweepHeads } from '../../src/tenancy/head-sweep.ts'
import { JournalFollower } from '../../src/tenancy/journal-follower.ts'
import { cellLedger, directoryLedger, isCommitted, type Ledger } from '../../src/tenancy/ledger.ts'
import { type PlatformCapability, platformBindingOf } from '../../src/tenancy/platform-capability.ts'
import { codesOf } from './row-code-checks.ts'
import type { SideDoor } from './side-door.ts'
import type { TestServer } from './test-server.ts'

/** What a server does by itself, and after accidents that a story has none of. */
export async function doBackgroundWork(test: TestServer, sideDoor: SideDoor, runtime: Runtime): Promise<void> {
  const { platform } = test.server
  const { storage, capabilities } = platform
  const tenants = await sideDoor.all('SELECT tenant_id, slug FROM tenant_placements ORDER BY slug')
  const tenantIds = tenants.map(({ tenant_id }) => String(tenant_id) as TenantId)
  await giveCodesAnew(test)
  await followJournals(test)
  await sweepHeads({ cell: storage.cell, capability: capabilities['change-feed'], compare: async () => undefined })
  await readMissedChanges(test, tenantIds)
  await writeAccesses(test, runtime, tenantIds)
  await askAfterLostCommits(test, tenantIds)
  await passGaps(storage.cell, capabilities['change-feed'], cellLedger, sideDoor)
  await passGaps(storage.directory, capabilities['directory-feed'], directoryLedger, sideDoor)
  await makeCheckpoints(test, runtime, tenantIds)
  await beginTimelinesAfterRestore(platform, runtime, () => undefined)
}

/** Whatever the keeper of checkpoints asks and writes, however its rounds fall. */
async function makeCheckpoints(test: TestServer, { clock }: Runtime, tenantIds: readonly TenantId[]): Promise<void> {
  const { platform } = test.server
  const { storage, capabilities } = platform
  const ends = createChainEnds(storage.directory, storage.cell, capabilities['audit-checkpoints'])
  const book = openBook(platform)
  const chains = ['authority', 'access/replica-1']
  const places = [platformTenantId, ...tenantIds].flatMap((tenantId) => chains.map((chain) => ({ tenantId, chain })))
  await ends.now(places)
  await ends.hashesAt(places.map((place) => ({ ...place, sequence: 1 })))
  for (let after: string | undefined = ''; after !== undefined; ) after = (await ends.page(after)).last
  await book.endsBetween('', 'f', new Date(clock.nowMs()))
  for (let made = 0; made < 2; made += 1) {
    const number = ((await book.last())?.number ?? 0) + 1
    const held = { sequence: 1, chainHash: Buffer.alloc(32), timelineId: 'story', number }
    const rows = Array.from({ length: 73 }, (_, at) => ({ ...held, tenantId: `story-${at}`, chain: 'authority' }))
    const createTime = new Date(clock.nowMs())
    await book.append({ number, maker: 'story', document: Buffer.from('story'), createTime, shippedTime: null }, rows)
    await book.find(number)
    await book.unshipped('story', createTime, 1)
    await book.markShipped(number, createTime)
  }
  await book.sweep(new Date(clock.nowMs() + 60_000))
  await book.forget('story-0')
}

/** What a first start does with rows from before there were codes, and a look at more rows than are read at once. */
async function giveCodesAnew({ server }: TestServer): Promise<void> {
  const { codedRows } = server.platform
  const bySingleRows = { ...codedRows, pageSize: 1 }
  for (const family of codeFamilies) await giveCodes(bySingleRows, family)
  const { count, forged } = await codesOf({
    server: { ...server, platform: { ...server.platform, codedRows: bySingleRows } },
  })
  if (count === 0 || forged.length > 0) throw new Error(`of ${count} rows ${forged.length} have no code`)
}

async function followJournals({ server }: TestServer): Promise<void> {
  const { feeds } = server.platform
  await feeds.followCell()
  await feeds.followDirectory()
  await feeds.compareDirectory()
}

/** What another server committed: read row by row as the journal names them, and by revision. */
async function readMissedChanges({ server }: TestServer, tenantIds: readonly TenantId[]): Promise<void> {
  const { scopes } = server.platform
  const reader = createFactsReader({ scopes, tenantIdOf: async () => undefined })
  const tables = ['tenant_heads', 'workspaces', 'users', 'service_accounts', 'memberships', 'roles', 'api_keys']
  for (const tenantId of tenantIds) {
    await reader.readChanged(
      tenantId,
      tables.map((table) => ({ table, workspaceId: tenantLevel, id: 'none' })),
    )
    await reader.readSince(tenantId, 1)
  }
}

/** Accesses of one tenant, of two, and of the platform: in batches of one and of more, and asked after at once. */
async function writeAccesses(test: TestServer, runtime: Runtime, tenantIds: readonly TenantId[]): Promise<void> {
  const { storage, capabilities } = test.server.platform
  const options = {
    cell: askingAtOnce(storage.cell),
    directoryDatabase: askingAtOnce(storage.directory),
    capability: capabilities['access-log'],
    directoryCapability: capabilities['platform-access-log'],
    clock: runtime.clock,
    ids: runtime.ids,
    replica: 'story',
  }
  const batch = (tenantId: TenantId, count: number) => {
    const awaited = Array.from({ length: count }, () => ({ fact: accessOf(tenantId), time: new Date(0) }))
    return { tenantId, sampled: [], suppressed: 0, awaited }
  }
  for (const count of [1, 2]) {
    await writeBatches(options, [batch(platformTenantId, count)])
    await writeBatches(options, [batch(tenantIds[0] ?? platformTenantId, count)])
    await writeBatches(
      options,
      tenantIds.map((tenantId) => batch(tenantId, count)),
    )
  }
}

function accessOf(tenantId: TenantId): AccessFact {
  const actor = { principal: 'serviceAccounts/story', credential: 'story', requestId: 'story', clientIp: '' }
  return { tenantId, context: undefined, actor, event: 'story.access', target: '', denied: false, reason: '' }
}

/** The same database, where every commit is asked after as if its answer had been lost. */
function askingAtOnce(database: Database): Database {
  return {
    ...database,
    write: (binding, work) =>
      database.write(binding, async (manager) => {
        const written = await work(manager)
        await written.wasCommitted?.(manager)
        return written
      }),
  }
}

async function askAfterLostCommits({ server }: TestServer, tenantIds: readonly TenantId[]): Promise<void> {
  const { storage, capabilities } = server.platform
  for (const tenantId of tenantIds) {
    const attempt = { tenantId, chain: 'authority', sequence: 1, attemptId: 'none' }
    const { cell } = storage
    const binding = { kind: 'tenant', tenantId, workspaceId: tenantLevel, allWorkspaces: false } as const
    for (const bound of [binding, { ...binding, allWorkspaces: true }, platformBindingOf(capabilities.restore)]) {
      await cell.write(bound, async (manager) => {
        await isCommitted(manager, cellLedger, attempt, cell.rowLock.forUpdate)
        return { value: undefined, keep: false }
      })
    }
  }
  for (const purpose of [
    'tenant-directory',
    'permission-catalogue',
    'platform-principals',
    'signing-keys',
    'restore',
  ] as const) {
    const { directory } = storage
    const attempt = { tenantId: platformTenantId, chain: 'authority', sequence: 1, attemptId: 'none' }
    await directory.write(platformBindingOf(capabilities[purpose]), async (manager) => {
      await isCommitted(manager, directoryLedger, attempt, directory.rowLock.forUpdate)
      return { value: undefined, keep: false }
    })
  }
}

/** An id that nobody has committed: a reader passes it over and asks for it again. */
async function passGaps(
  database: Database,
  capability: PlatformCapability,
  ledger: Ledger,
  sideDoor: SideDoor,
): Promise<void> {
  const [line] = await sideDoor.all(`SELECT MAX(feed_id) - 1 AS id FROM ${ledger.journal}`)
  await sideDoor.run(`DELETE FROM ${ledger.journal} WHERE feed_id = ?`, [Number(line?.id)])
  await database.read(platformBindingOf(capability), async (manager) => {
    const follower = await JournalFollower.open(manager, ledger, new Date(), 0)
    await follower.read(manager, 0)
  })
}
