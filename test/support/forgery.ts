import { ConnectError } from '@connectrpc/connect'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { seedKey, type TenantFixture } from './fixture.ts'
import type { SideDoor, StoredRow, StoredValue } from './side-door.ts'
import type { TestServer } from './test-server.ts'

/** Two tenants, of which globex is the thief's own, and a way to the rows of both. */
export interface ForgeryWorld {
  readonly server: TestServer
  readonly rows: SideDoor
  readonly acme: TenantFixture
  readonly globex: TenantFixture
}

/** What somebody does who can write the database, and has no keyring. */
export interface Forgery {
  readonly name: string
  /** The table that is told of. */
  readonly table: string
  /** Done honestly before; answers what is planted later, and what it is good for if it is believed. */
  prepare(world: ForgeryWorld): Promise<Planted>
}

export interface Planted {
  /** Answers the id of the row that is none of ours. */
  plant(): Promise<string>
  /** Whether somebody has the power that was forged. */
  hasPower(server: TestServer): Promise<boolean>
}

export async function account({ server }: ForgeryWorld, parent: string, id: string, roles: readonly string[] = []) {
  const serviceAccount = parent === '' && roles.length > 0 ? { roles: [...roles] } : {}
  const made = await server
    .client(ServiceAccountService)
    .createServiceAccount({ parent, serviceAccountId: id, serviceAccount })
  const name = made.serviceAccount?.name ?? ''
  return { name, uid: made.serviceAccount?.uid ?? '', key: await seedKey(server, parent, name) }
}

/** Anything that is refused, unknown or unauthenticated is no power; a server that cannot answer is no answer. */
export async function succeeds(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    const { code, message } = ConnectError.from(error)
    // NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED.
    if ([5, 7, 16].includes(code)) return false
    throw new Error(message)
  }
}

export const reads = (server: TestServer, name: string, key: string) =>
  succeeds(server.client(TenantService, key).getTenant({ name }))

export async function oneRow(
  { rows }: Pick<ForgeryWorld, 'rows'>,
  table: string,
  where: string,
  ...values: StoredValue[]
) {
  const [row] = await rows.all(`SELECT * FROM ${table} WHERE ${where}`, values)
  if (row === undefined) throw new Error(`no row of ${table} where ${where}`)
  return row
}

export async function insertCopy(
  { rows }: Pick<ForgeryWorld, 'rows'>,
  table: string,
  row: StoredRow,
  changes: StoredRow,
): Promise<void> {
  const copy = Object.entries({ ...row, ...changes }) as [string, StoredValue][]
  const names = copy.map(([name]) => name).join(', ')
  const marks = copy.map(() => '?').join(', ')
  await rows.run(
    `INSERT INTO ${table} (${names}) VALUES (${marks})`,
    copy.map(([, value]) => value),
  )
}

export async function allowed(
  server: TestServer,
  acme: TenantFixture,
  subject: string,
  permission: string,
): Promise<boolean> {
  const identity = { issuer: 'https://idp.example', subject }
  const answer = await server.client(AccessService).authorize({
    parent: `${acme.name}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'identity', value: identity } } },
    permission,
  })
  return answer.decision === Decision.ALLOW
}
