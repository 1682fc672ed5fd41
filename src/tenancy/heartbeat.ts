import type { EntityManager } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { TenureError } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'

/**
 * A row that this server writes again and again and looks for in everything it follows: a server that can be read but
 * not written to, like an old primary after a fail-over, shows a past that looks complete, and must never pass for fresh.
 */
export interface Heartbeat extends AsyncDisposable {
  /** Writes the next beat if the last one is old enough. Rejects when the database takes no writes. */
  beat(): Promise<void>
  /** In the snapshot that is followed: throws unless the last beat is in it. */
  assertSeen(manager: EntityManager): Promise<void>
}

export interface HeartbeatOptions {
  readonly database: Database
  readonly capability: PlatformCapability<'change-feed' | 'directory-feed'>
  readonly table: 'feed_heartbeats' | 'directory_heartbeats'
  /** Name of this server among those that share the database. */
  readonly replica: string
  readonly ids: Ids
  readonly clock: Clock
}

/** How old a beat may be that a poll relies on; so long a database that has stopped taking writes can pass for the primary. */
const beatEveryMs = 750

export async function openHeartbeat(options: HeartbeatOptions): Promise<Heartbeat> {
  const { database, capability, table, replica, clock } = options
  const binding = platformBindingOf(capability)
  const instanceId = options.ids.next()
  let beat = 0
  let beatAtMs = 0
  const run = (sql: string, parameters: unknown[]) =>
    database.write(binding, async (manager) => {
      await manager.query(sql, parameters)
      // Each of these can be done twice without harm.
      return { value: undefined, keep: true, wasCommitted: async () => false }
    })
  // Whatever a process of that name has left behind.
  await database.write(binding, async (manager) => {
    await manager.query(`DELETE FROM ${table} WHERE replica = ?`, [replica])
    await manager.query(`INSERT INTO ${table} (replica, instance_id, beat, beat_time) VALUES (?, ?, ?, ?)`, [
      ...[replica, instanceId, beat, new Date(clock.nowMs())],
    ])
    return { value: undefined, keep: true, wasCommitted: async () => false }
  })
  return {
    async beat() {
      const nowMs = clock.monotonicMs()
      if (beat > 0 && nowMs - beatAtMs < beatEveryMs) return
      const next = beat + 1
      await run(`UPDATE ${table} SET beat = ?, beat_time = ? WHERE replica = ? AND instance_id = ?`, [
        ...[next, new Date(clock.nowMs()), replica, instanceId],
      ])
      beat = next
      beatAtMs = nowMs
    },
    async assertSeen(manager) {
      const sql = `SELECT beat FROM ${table} WHERE replica = ? AND instance_id = ?`
      const rows: Record<string, unknown>[] = await manager.query(sql, [replica, instanceId])
      // An update whose answer was lost may have been made: a later beat is as good.
      if (Number(rows[0]?.beat ?? -1) >= beat) return
      // Connections that read may have stayed with a server that lost a fail-over.
      database.renew()
      throw new TenureError('DATABASE_UNAVAILABLE', 'What is read is not the database that is written to.')
    },
    async [Symbol.asyncDispose]() {
      await run(`DELETE FROM ${table} WHERE replica = ? AND instance_id = ?`, [replica, instanceId]).catch(
        () => undefined,
      )
    },
  }
}

/** Names of the servers that follow the directory, and of those that were killed and have not come back. */
export async function replicasOfDirectory(
  database: Database,
  capability: PlatformCapability<'directory-feed'>,
): Promise<string[]> {
  const rows: Record<string, unknown>[] = await database.read(platformBindingOf(capability), (manager) =>
    manager.query('SELECT replica FROM directory_heartbeats ORDER BY replica'),
  )
  return rows.map(({ replica }) => String(replica))
}
