import type { Connection, RowDataPacket } from 'mysql2/promise'
import { nilUuid } from '../../src/base/ids.ts'
import { newThing, type Realm, type Thing, type ThingKind } from './crash-model.ts'

/** A thing as its row says. */
export interface StoredThing {
  readonly uid: string
  readonly version: number
  readonly text: string
  readonly deleted: boolean
}

/** One row for each: kind, workspace, slug, uid, version, text, deleted. */
const statements: Readonly<Record<ThingKind, string>> = {
  user: `SELECT '' AS workspace, slug, user_id AS uid, version, display_name AS text, 0 AS deleted
    FROM users WHERE tenant_id = ?`,
  workspace: `SELECT '' AS workspace, slug, workspace_id AS uid, version, display_name AS text, state = 'DELETED' AS deleted
    FROM workspaces WHERE tenant_id = ?`,
  role: `SELECT '' AS workspace, slug, role_id AS uid, version, display_name AS text, 0 AS deleted
    FROM roles WHERE tenant_id = ?`,
  membership: `SELECT w.slug AS workspace, m.slug AS slug, membership_id AS uid, m.version AS version, 0 AS deleted,
    COALESCE((SELECT r.slug FROM roles r WHERE r.tenant_id = m.tenant_id AND m.roles = CONCAT('["', r.role_id, '"]')), m.roles) AS text
    FROM memberships m JOIN workspaces w ON w.tenant_id = m.tenant_id AND w.workspace_id = m.workspace_id
    WHERE m.tenant_id = ?`,
  tenant: `SELECT '' AS workspace, slug, tenant_id AS uid, version, display_name AS text, 0 AS deleted
    FROM tenant_heads WHERE tenant_id = ?`,
  permission: `SELECT '' AS workspace, permission_id AS slug, uid, version, description AS text, 0 AS deleted
    FROM permissions WHERE service = 'crash' AND ? = '${nilUuid}'`,
}
/** The directory's view of the tenants that trials made. One that is not finished is as good as none. */
const madeTenants = `SELECT '' AS workspace, p.slug AS slug, p.tenant_id AS uid, p.version AS version, p.display_name AS text,
  p.provisioning IS NOT NULL OR NOT EXISTS (SELECT 1 FROM tenant_heads h WHERE h.tenant_id = p.tenant_id) AS deleted
  FROM tenant_placements p WHERE p.slug LIKE 't-%' AND ? = '${nilUuid}'`

const tenantKinds: readonly ThingKind[] = ['user', 'workspace', 'role', 'membership', 'tenant']
const directoryKinds: readonly ThingKind[] = ['tenant', 'permission']

export function kindsOf({ slug }: Realm): readonly ThingKind[] {
  return slug === '' ? directoryKinds : tenantKinds
}

/** By `kind/workspace/slug`. `slugs`: these alone. */
export async function readThings(
  door: Connection,
  realm: Realm,
  kinds: readonly ThingKind[],
  slugs?: readonly string[],
): Promise<Map<string, StoredThing>> {
  const stored = new Map<string, StoredThing>()
  for (const kind of kinds) {
    const statement = kind === 'tenant' && realm.slug === '' ? madeTenants : statements[kind]
    const narrowed = slugs === undefined ? statement : `SELECT * FROM (${statement}) found WHERE slug IN (?)`
    const [rows] = await door.query<RowDataPacket[]>(narrowed, [realm.id, slugs])
    for (const { workspace, slug, uid, version, text, deleted } of rows) {
      stored.set(`${kind}/${workspace}/${slug}`, { uid, version, text, deleted: deleted === 1 })
    }
  }
  return stored
}

export function placeOf({ kind, workspace, slug }: Thing): string {
  return `${kind}/${workspace}/${slug}`
}

/** What a row says other than the model; takes its uid over. */
export function compareThing(thing: Thing, stored: StoredThing | undefined): string[] {
  if (!thing.exists) {
    if (stored === undefined || stored.deleted) return []
    return [`${thing.name} is there, in version ${stored.version}, and must not be`]
  }
  if (stored === undefined || stored.deleted) return [`${thing.name} is not there, and must be`]
  thing.uid = stored.uid
  if (stored.version === thing.version && stored.text === thing.text) return []
  const has = `version ${stored.version} with ${JSON.stringify(stored.text)}`
  return [`${thing.name} has ${has}, and must have version ${thing.version} with ${JSON.stringify(thing.text)}`]
}

/** Takes over what is there already. No trial writes to it but to the tenant itself. */
export async function adoptThings(door: Connection, realm: Realm): Promise<void> {
  for (const [place, { uid, version, text }] of await readThings(door, realm, kindsOf(realm))) {
    const [kind, workspace, slug = ''] = place.split('/')
    const thing = newThing(realm, kind as ThingKind, slug, workspace)
    realm.things.push(Object.assign(thing, { uid, version, text, exists: true, busy: kind !== 'tenant' }))
  }
}
