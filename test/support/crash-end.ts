import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { askForTransactions } from './ask-for-transactions.ts'
import type { AccessChecks } from './crash-access.ts'
import { compareJournal, nameOf } from './crash-checks.ts'
import type { Settled } from './crash-client.ts'
import type { Realm, World } from './crash-model.ts'
import type { CrashRig } from './crash-rig.ts'
import { compareThing, kindsOf, placeOf, readThings } from './crash-rows.ts'

/** No transaction lives longer, whatever became of who began it. */
const lifetimeSeconds = 6

export async function compareOpenTransactions(door: Connection): Promise<string[]> {
  const old = await openTransactions(door, lifetimeSeconds)
  return old.map((row) => `a transaction is open since ${row.seconds} s: ${row.statement}`)
}

function openTransactions(door: Connection, olderThanSeconds: number): Promise<RowDataPacket[]> {
  const sql = `SELECT TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS seconds, t.trx_query AS statement
    FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
    WHERE p.id <> CONNECTION_ID() AND t.trx_started <= NOW() - INTERVAL ? SECOND`
  return askForTransactions(async () => (await door.query<RowDataPacket[]>(sql, [olderThanSeconds]))[0])
}

/**
 * Everything there is, against everything there must be: nothing is under way any more. `last`: the writes of the end, which
 * nothing disturbed.
 */
export async function compareEverything(
  rig: CrashRig,
  world: World,
  access: AccessChecks,
  last: readonly Settled[],
): Promise<string[]> {
  const broken: string[] = []
  const door = await rig.openDoor()
  try {
    for (const realm of [...world.tenants, world.directory]) {
      const settled = last.filter(({ write }) => write.realm === realm)
      broken.push(...(await compareJournal(door, realm, settled)), ...(await compareRealm(door, realm)))
    }
    broken.push(...(await compareRetired(door, world)), ...(await compareProjections(door)))
    broken.push(...(await compareNoneOpen(door)))
  } finally {
    await door.end()
  }
  for (const realm of world.tenants) broken.push(...(await access.compareByFeed(realm, realm.things)))
  broken.push(...(await compareChains(rig, world)))
  return broken.map((what) => `at the end: ${what}`)
}

async function compareRealm(door: Connection, realm: Realm): Promise<string[]> {
  const stored = await readThings(door, realm, kindsOf(realm))
  const broken = realm.things.flatMap((thing) => compareThing(thing, stored.get(placeOf(thing))))
  const known = new Set(realm.things.map(placeOf))
  const unknown = [...stored.keys()].filter((place) => !known.has(place))
  return [...broken, ...unknown.map((place) => `${place} of ${nameOf(realm)} is there, and nobody made it`)]
}

/** A name is retired exactly where what bore it was deleted. */
async function compareRetired(door: Connection, { tenants }: World): Promise<string[]> {
  const broken: string[] = []
  for (const realm of tenants) {
    const [rows] = await door.query<RowDataPacket[]>(
      `SELECT CONCAT(n.collection, '/', COALESCE(w.slug, ''), '/', n.slug) AS name FROM retired_names n
       LEFT JOIN workspaces w ON w.tenant_id = n.tenant_id AND w.workspace_id = n.workspace_id WHERE n.tenant_id = ?`,
      [realm.id],
    )
    const deleted = realm.things.filter(({ kind, exists }) => !exists && kind !== 'workspace')
    const expected = deleted.map((thing) => `${thing.kind}s/${thing.workspace}/${thing.slug}`)
    const retired = rows.map(({ name }) => String(name))
    const different = [...missing(expected, retired), ...missing(retired, expected)]
    for (const name of different) broken.push(`${name} of ${nameOf(realm)} is deleted or retired, and not both`)
  }
  return broken
}

function missing(names: readonly string[], from: readonly string[]): string[] {
  const there = new Set(from)
  return names.filter((name) => !there.has(name))
}

/** Every tenant is finished, has as many events as its head says, and is in the directory as it is in its cell. */
async function compareProjections(door: Connection): Promise<string[]> {
  const [rows] = await door.query<RowDataPacket[]>(
    `SELECT p.slug FROM tenant_placements p LEFT JOIN tenant_heads h ON h.tenant_id = p.tenant_id
     WHERE h.tenant_id IS NULL OR p.state <> 'ACTIVE' OR p.provisioning IS NOT NULL OR p.version <> h.version
       OR p.display_name <> h.display_name
       OR h.sequence <> (SELECT COUNT(*) FROM journal j WHERE j.tenant_id = h.tenant_id AND j.chain = 'authority')`,
  )
  const [lone] = await door.query<RowDataPacket[]>(
    'SELECT h.slug FROM tenant_heads h LEFT JOIN tenant_placements p ON p.tenant_id = h.tenant_id WHERE p.tenant_id IS NULL',
  )
  return [...rows, ...lone].map(({ slug }) => `tenants/${slug} is not the same in the directory and in its cell`)
}

/** Servers go on reading and saying that they live, so one look may find one of those. */
async function compareNoneOpen(door: Connection): Promise<string[]> {
  for (let look = 0; look < 50; look += 1) {
    if ((await openTransactions(door, 1)).length === 0) return []
    await sleep(50)
  }
  return (await openTransactions(door, 1)).map(({ statement }) => `a transaction stays open: ${statement}`)
}

async function compareChains({ servers, rootKey }: CrashRig, { tenants, directory }: World): Promise<string[]> {
  const broken: string[] = []
  for (const server of servers) {
    for (const realm of [...tenants, directory]) {
      const parent = realm.slug === '' ? '' : nameOf(realm)
      const verdict = await server.client(AuditService, rootKey).verifyAuditChain({ parent })
      if (verdict.valid && Number(verdict.verifiedCount) === realm.sequence) continue
      broken.push(`${server.name} finds the chain of ${nameOf(realm)} broken at ${verdict.firstBadSequence}`)
    }
  }
  return broken
}
