import { afterAll, beforeAll, expect, test } from 'vitest'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedSecret, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { lookAtIsolation } from '../support/look-at-isolation.ts'
import { openSideDoor, type SideDoor, type StoredValue } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let rows: SideDoor
let acme: TenantFixture
let globex: TenantFixture
let roleCode: Uint8Array
let marked: { readonly workspaceId: string; readonly displayName: string }

beforeAll(async () => {
  server = await startTestServer()
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
  await seedSecret(server, `${acme.name}/workspaces/prod`, 'second')
  const carol = { issuer: 'https://idp.example', subject: 'carol@acme' }
  await server.client(UserService).createUser({ parent: acme.name, userId: 'carol', user: carol })
  const member = { case: 'user', value: `${acme.name}/users/carol` } as const
  await server
    .client(MembershipService)
    .createMembership({ parent: acme.name, membership: { member, roles: ['roles/viewer'] } })
  await server
    .client(UserService)
    .createUser({ parent: acme.name, userId: 'dave', user: { ...carol, subject: 'dave@acme' } })
  await server.client(UserService).deleteUser({ name: `${acme.name}/users/dave` })
  expect(await lookAtIsolation(server)).toEqual({})
  const [role] = await rows.all('SELECT row_code FROM roles WHERE tenant_id = ?', [acme.uid])
  roleCode = role?.row_code as Uint8Array
  const [canary] = await rows.all(
    `SELECT workspaces.workspace_id AS id, workspaces.display_name AS name FROM workspaces, tenant_heads
      WHERE workspaces.tenant_id = tenant_heads.tenant_id AND tenant_heads.slug = 'tenure-canary-a'`,
  )
  marked = { workspaceId: String(canary?.id), displayName: String(canary?.name) }
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

interface Fault {
  readonly name: string
  readonly plant: readonly [sql: string, values: () => readonly StoredValue[]]
  readonly mend: readonly [sql: string, values: () => readonly StoredValue[]]
  /** By probe: what has to be among what it finds. */
  readonly seen: () => Readonly<Record<string, string>>
}

const onMysql = process.env.TENURE_TEST_ENGINE === 'mysql'

const faults: readonly Fault[] = [
  {
    name: 'a dropped index',
    plant: [onMysql ? 'DROP INDEX memberships_slug ON memberships' : 'DROP INDEX memberships_slug', () => []],
    mend: ['CREATE UNIQUE INDEX memberships_slug ON memberships (tenant_id, workspace_id, slug)', () => []],
    seen: () => ({ schema: 'schema-drift  memberships' }),
  },
  {
    name: 'a trigger, which writes what no guard sees',
    plant: [
      onMysql
        ? "CREATE TRIGGER planted BEFORE INSERT ON users FOR EACH ROW SET NEW.display_name = 'x'"
        : "CREATE TRIGGER planted AFTER INSERT ON users BEGIN UPDATE users SET display_name = 'x'; END",
      () => [],
    ],
    mend: ['DROP TRIGGER planted', () => []],
    seen: () => ({ schema: 'schema-drift  users' }),
  },
  {
    name: 'a column that nothing declares',
    plant: ['ALTER TABLE users ADD COLUMN note varchar(10) NULL', () => []],
    mend: ['ALTER TABLE users DROP COLUMN note', () => []],
    seen: () => ({ schema: 'schema-drift  users' }),
  },
  {
    name: 'a user moved to another tenant by hand',
    plant: ['UPDATE users SET tenant_id = ? WHERE tenant_id = ? AND slug = ?', () => [globex.uid, acme.uid, 'carol']],
    mend: ['UPDATE users SET tenant_id = ? WHERE tenant_id = ? AND slug = ?', () => [acme.uid, globex.uid, 'carol']],
    seen: () => ({
      references: `cross-tenant-reference ${acme.uid} memberships.principal_id`,
      history: `row-without-history ${globex.uid} users`,
    }),
  },
  {
    name: 'a role moved to another tenant by hand',
    plant: ['UPDATE roles SET tenant_id = ?, slug = ? WHERE tenant_id = ?', () => [globex.uid, 'moved', acme.uid]],
    mend: ['UPDATE roles SET tenant_id = ?, slug = ? WHERE slug = ?', () => [acme.uid, 'order-reader', 'moved']],
    seen: () => ({ history: `row-without-history ${globex.uid} roles` }),
  },
  {
    name: 'a workspace moved away by hand',
    plant: ['UPDATE workspaces SET tenant_id = ? WHERE tenant_id = ? AND slug = ?', () => ['', acme.uid, 'test']],
    mend: ['UPDATE workspaces SET tenant_id = ? WHERE tenant_id = ? AND slug = ?', () => [acme.uid, '', 'test']],
    seen: () => ({ history: `missing-row ${acme.uid} workspaces`, ownership: 'tenantless-row  workspaces' }),
  },
  {
    name: 'a secret moved to another tenant by hand',
    plant: [
      'UPDATE secrets SET tenant_id = ? WHERE tenant_id = ? AND slug = ?',
      () => [globex.uid, acme.uid, 'second'],
    ],
    mend: ['UPDATE secrets SET tenant_id = ? WHERE tenant_id = ? AND slug = ?', () => [acme.uid, globex.uid, 'second']],
    seen: () => ({
      ownership: `workspaceless-row ${globex.uid} secrets`,
      references: `cross-tenant-reference ${acme.uid} secret_versions.secret_id`,
    }),
  },
  {
    name: 'a row that no tenant owns',
    plant: ['UPDATE retired_names SET tenant_id = ? WHERE tenant_id = ?', () => ['', acme.uid]],
    mend: ['UPDATE retired_names SET tenant_id = ? WHERE tenant_id = ?', () => [acme.uid, '']],
    seen: () => ({ ownership: 'tenantless-row  retired_names' }),
  },
  {
    name: 'a service account taken away behind its memberships',
    plant: [
      'UPDATE service_accounts SET service_account_id = ? WHERE slug = ? AND tenant_id = ?',
      () => ['gone', 'viewer-bot', acme.uid],
    ],
    mend: [
      `UPDATE service_accounts SET service_account_id = (SELECT principal_id FROM memberships
        WHERE memberships.slug = ? AND memberships.tenant_id = ?) WHERE service_account_id = ?`,
      () => ['viewer-bot', acme.uid, 'gone'],
    ],
    seen: () => ({ references: `orphan-reference ${acme.uid} api_keys.owner_id` }),
  },
  {
    name: 'a tenant whose directory entry is of another epoch',
    plant: ['UPDATE tenant_placements SET placement_epoch = 7 WHERE slug = ?', () => ['acme']],
    mend: ['UPDATE tenant_placements SET placement_epoch = 1 WHERE slug = ?', () => ['acme']],
    seen: () => ({ placement: `placement-differs ${acme.uid} placementEpoch` }),
  },
  {
    name: 'power given in the rows and told to nobody',
    plant: [
      'UPDATE memberships SET roles = ? WHERE tenant_id = ? AND slug = ?',
      () => ['["roles/owner"]', acme.uid, 'viewer-bot'],
    ],
    mend: [
      'UPDATE memberships SET roles = ? WHERE tenant_id = ? AND slug = ?',
      () => ['["roles/viewer"]', acme.uid, 'viewer-bot'],
    ],
    seen: () => ({ 'row-codes': `forged-row ${acme.uid} memberships`, decisions: `decision-differs ${acme.uid}` }),
  },
  {
    name: 'an administrator of the platform made by hand',
    plant: [
      'UPDATE platform_service_accounts SET roles = ? WHERE slug = ?',
      () => ['["roles/platform.admin","roles/owner"]', 'isolation-canary'],
    ],
    mend: [
      'UPDATE platform_service_accounts SET roles = ? WHERE slug = ?',
      () => ['["roles/platform.admin"]', 'isolation-canary'],
    ],
    seen: () => ({ 'row-codes': 'forged-row 00000000-0000-0000-0000-000000000000 platform_service_accounts' }),
  },
  {
    name: 'a code that is not that of its row',
    plant: ['UPDATE roles SET row_code = ? WHERE tenant_id = ?', () => [Buffer.alloc(32, 1), acme.uid]],
    mend: ['UPDATE roles SET row_code = ? WHERE tenant_id = ?', () => [roleCode, acme.uid]],
    seen: () => ({ 'row-codes': `forged-row ${acme.uid} roles` }),
  },
  {
    name: 'a value of one canary in what the other is answered',
    plant: [
      'UPDATE workspaces SET display_name = ? WHERE workspace_id = ?',
      () => ['marker-of-tenure-canary-b', marked.workspaceId],
    ],
    mend: [
      'UPDATE workspaces SET display_name = ? WHERE workspace_id = ?',
      () => [marked.displayName, marked.workspaceId],
    ],
    seen: () => ({ canaries: 'answer-leaks' }),
  },
]

test.each(faults)('$name is found and named', async ({ plant, mend, seen }) => {
  await rows.run(plant[0], plant[1]())
  const found = await lookAtIsolation(server)
  await rows.run(mend[0], mend[1]())
  for (const [probe, expected] of Object.entries(seen())) {
    expect(
      found[probe]?.filter((each) => each.startsWith(expected)),
      `${probe} of ${JSON.stringify(found)}`,
    ).not.toEqual([])
  }
})

test('two values swapped in their rows are found, each at its place', async () => {
  const read = () =>
    rows.all('SELECT secret_version_id AS id, envelope FROM secret_versions WHERE tenant_id = ? ORDER BY 1', [acme.uid])
  const put = (envelope: unknown, id: unknown) =>
    rows.run('UPDATE secret_versions SET envelope = ? WHERE secret_version_id = ?', [
      envelope as Uint8Array,
      String(id),
    ])
  const [one, other] = await read()
  await put(other?.envelope, one?.id)
  await put(one?.envelope, other?.id)
  const found = await lookAtIsolation(server)
  await put(one?.envelope, one?.id)
  await put(other?.envelope, other?.id)
  expect(found.ciphertexts?.sort()).toEqual(
    [one, other].map((row) => `ciphertext-does-not-open ${acme.uid} secret_versions ${String(row?.id)}`).sort(),
  )
})

test('nothing is found once all of it is mended', async () => {
  expect(await lookAtIsolation(server)).toEqual({})
})
