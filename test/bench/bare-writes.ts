import { createHash } from 'node:crypto'
import { type Connection, createConnection } from 'mysql2/promise'

/** A tenant whose head the bare writers lock; its user is the one every membership is looked up for. */
export interface BareTenant {
  readonly tenantId: string
  readonly workspaceId: string
  readonly userSlug: string
}

/**
 * What one membership write sends to MySQL, by hand on bare mysql2: the same statements, parameters of the same sizes, on
 * connections with the same settings. The ceiling beside which the product is measured.
 */
export async function openBareWriter(server: object): Promise<BareWriter> {
  const connection = await createConnection({ ...server, timezone: 'Z' })
  await connection.query("SET SESSION autocommit = 0, transaction_isolation = 'READ-COMMITTED'")
  return new BareWriter(connection)
}

const record = Buffer.alloc(420, 7)
const roles = JSON.stringify(['roles/member'])

export class BareWriter {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async write({ tenantId, workspaceId, userSlug }: BareTenant): Promise<void> {
    const connection = this.#connection
    const [heads] = await connection.execute(
      'SELECT timeline_id, placement_epoch, revision, sequence, chain_hash, state FROM tenant_heads WHERE tenant_id = ? FOR UPDATE',
      [tenantId],
    )
    const head = (heads as { revision: number; sequence: number; chain_hash: Buffer }[])[0]
    if (head === undefined) throw new Error('the tenant has no head')
    await connection.execute('SELECT * FROM users WHERE tenant_id = ? AND slug = ?', [tenantId, userSlug])
    const now = new Date()
    const id = crypto.randomUUID()
    await connection.execute(
      'INSERT INTO memberships (tenant_id, workspace_id, membership_id, slug, principal_kind, principal_id, roles, reach_all, expire_time, version, create_time, update_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [tenantId, workspaceId, id, `member-${id}`, 'user', crypto.randomUUID(), roles, false, null, 1, now, now],
    )
    const hash = createHash('sha256').update(head.chain_hash).update(record).digest()
    const changes = JSON.stringify([['memberships', workspaceId, id]])
    await connection.execute(
      'INSERT INTO journal (tenant_id, chain, sequence, event_id, workspace_id, event_time, principal, event, target, record, hash, revision, changes, attempt_id, idempotency_key, request_hash, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [
        ...[tenantId, 'authority', Number(head.sequence) + 1, crypto.randomUUID(), workspaceId, now],
        ...[
          'tenants/t-0/serviceAccounts/writer',
          'memberships.create',
          `tenants/t-0/workspaces/prod/memberships/${id}`,
        ],
        ...[record, hash, Number(head.revision) + 1, changes, crypto.randomUUID(), null, null, null],
      ],
    )
    await connection.execute('UPDATE tenant_heads SET revision = ?, sequence = ?, chain_hash = ? WHERE tenant_id = ?', [
      ...[Number(head.revision) + 1, Number(head.sequence) + 1, hash, tenantId],
    ])
    await connection.query('COMMIT')
  }

  close(): Promise<void> {
    return this.#connection.end()
  }
}
