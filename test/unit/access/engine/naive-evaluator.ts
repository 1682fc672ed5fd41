import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { CataloguedPermission } from '../../../../src/access/engine/catalogue.ts'
import type { Question } from '../../../../src/access/engine/decision.ts'
import type { CommittedChange } from '../../../../src/access/engine/facts.ts'
import { nilUuid } from '../../../../src/base/ids.ts'
import type { StoredTenant } from './memory-facts.ts'

const schema = `
create table tenant (tenant_id text primary key, slug text unique, state text, mode text);
create table workspace (tenant_id text, workspace_id text, slug text, state text, primary key (tenant_id, workspace_id));
create table principal (tenant_id text, principal_id text, kind text, slug text, issuer text, subject text, active int,
  primary key (tenant_id, principal_id));
create table role (tenant_id text, role_id text, permission text);
create table membership (tenant_id text, membership_id text, workspace_id text, principal_id text, reach_all int,
  expire_ms int, primary key (tenant_id, membership_id));
create index membership_principal on membership (tenant_id, principal_id);
create table membership_role (tenant_id text, membership_id text, role text);
create index membership_role_key on membership_role (tenant_id, membership_id);
create index role_key on role (tenant_id, role_id);
create table api_key (tenant_id text, api_key_id text, workspace_id text, owner_id text, expire_ms int, revoked int,
  narrowed int, primary key (tenant_id, api_key_id));
create table api_key_permission (tenant_id text, api_key_id text, permission text);
create table permission (name text primary key, effect text, service text, platform_only int);
create view template as
  select 'roles/owner' as role, name from permission where platform_only = 0
  union all select 'roles/admin', name from permission where platform_only = 0 and name <> 'tenants.delete'
  union all select 'roles/viewer', name from permission where platform_only = 0 and effect = 'READ'
    and name not in ('access.check', 'apiKeys.get', 'apiKeys.list', 'audit.list', 'audit.verify')
  union all select 'roles/member', name from permission where platform_only = 0 and (
    (effect = 'READ' and name not in ('access.check', 'apiKeys.get', 'apiKeys.list', 'audit.list', 'audit.verify'))
    or (effect = 'WRITE' and service <> 'tenure'));
`

const bindingsAtPlace = `
from membership m
where m.tenant_id = :tenant and m.principal_id = :principal and (m.expire_ms is null or m.expire_ms > :now)
  and (m.workspace_id = :place or (:place <> '${nilUuid}' and m.workspace_id = '${nilUuid}' and m.reach_all = 1))`

const heldPermissions = `
select distinct p.name as name from permission p join (
  select r.permission as name, mr.membership_id from membership_role mr
    join role r on r.tenant_id = mr.tenant_id and r.role_id = mr.role where mr.tenant_id = :tenant
  union select t.name, mr.membership_id from membership_role mr
    join template t on t.role = mr.role where mr.tenant_id = :tenant
) g on g.name = p.name
where p.platform_only = 0 and g.membership_id in (select m.membership_id ${bindingsAtPlace})
  and (:key is null or (select narrowed from api_key where tenant_id = :tenant and api_key_id = :key) = 0
    or p.name in (select permission from api_key_permission where tenant_id = :tenant and api_key_id = :key))
order by p.name`

export interface NaiveAnswer {
  readonly reason: string
  /** Empty where the answer has no context. */
  readonly permissions: readonly string[]
}

type Row = Record<string, unknown>

/** The rules of access once more, as plain joins over plain tables, with nothing compiled, cached or followed. */
export class NaiveEvaluator {
  readonly #database = new DatabaseSync(':memory:')
  readonly #statements = new Map<string, StatementSync>()

  constructor() {
    this.#database.exec(schema)
  }

  close(): void {
    this.#database.close()
  }

  setCatalogue(entries: readonly CataloguedPermission[]): void {
    this.#run('delete from permission')
    for (const { name, effect, service, platformOnly } of entries) {
      this.#run('insert into permission values (?, ?, ?, ?)', name, effect, service, Number(platformOnly))
    }
  }

  putTenant(stored: StoredTenant): void {
    const rows = [...stored.workspaces.keys()].map((id) => ({ table: 'workspaces', id, workspaceId: '' }))
    for (const id of stored.principals.keys()) rows.push({ table: 'principals', id, workspaceId: '' })
    for (const id of stored.roles.keys()) rows.push({ table: 'roles', id, workspaceId: '' })
    for (const id of stored.memberships.keys()) rows.push({ table: 'memberships', id, workspaceId: '' })
    for (const id of stored.api_keys.keys()) rows.push({ table: 'api_keys', id, workspaceId: '' })
    this.follow(stored, { tenantId: stored.tenant.tenantId, revision: 0, rows })
  }

  follow(stored: StoredTenant, change: CommittedChange): void {
    const { tenantId, slug, state, suspensionMode } = stored.tenant
    this.#run('insert or replace into tenant values (?, ?, ?, ?)', tenantId, slug, state, suspensionMode)
    for (const { table, id } of change.rows) {
      if (table === 'workspaces') this.#followWorkspace(tenantId, id, stored)
      else if (table === 'principals') this.#followPrincipal(tenantId, id, stored)
      else if (table === 'roles') this.#followRole(tenantId, id, stored)
      else if (table === 'memberships') this.#followMembership(tenantId, id, stored)
      else this.#followApiKey(tenantId, id, stored)
    }
  }

  ask(tenantSlug: string, question: Question, nowMs: number): NaiveAnswer {
    const tenant = this.#one('select * from tenant where slug = ?', tenantSlug)
    if (tenant === undefined) return deny('NO_ACCESS')
    const { subject } = question
    let key: Row | undefined
    if (subject.kind === 'api_key') {
      key = this.#one(
        'select * from api_key where tenant_id = ? and api_key_id = ?',
        tenant.tenant_id,
        subject.apiKeyId,
      )
      if (key === undefined) return deny('UNAUTHENTICATED')
      if (key.expire_ms !== null && Number(key.expire_ms) <= nowMs) return deny('CREDENTIAL_EXPIRED')
      if (key.revoked === 1) return deny('CREDENTIAL_REVOKED')
    }
    const principal = this.#principal(tenant, question, key)
    const workspace = this.#one(
      `select * from workspace where tenant_id = ? and slug = ? and state <> 'DELETED'`,
      tenant.tenant_id,
      question.workspace,
    )
    if (principal === undefined || (workspace === undefined && question.workspace !== '')) return deny('NO_ACCESS')
    const place = workspace?.workspace_id ?? nilUuid
    if (key !== undefined && key.workspace_id !== nilUuid && key.workspace_id !== place) return deny('NO_ACCESS')
    if (tenant.state === 'PROVISIONING' || tenant.state === 'DELETED') return deny('NO_ACCESS')
    const [tenantId, principalId] = [String(tenant.tenant_id), String(principal.principal_id)]
    const bind: Bind = { tenant: tenantId, principal: principalId, place: String(place), now: nowMs }
    if (this.#one(`select 1 ${bindingsAtPlace} limit 1`, bind) === undefined) return deny('NO_ACCESS')
    const held = this.#all(heldPermissions, { ...bind, key: (key?.api_key_id ?? null) as SQLInputValue })
    const permissions = held.map(({ name }) => String(name))
    return { reason: this.#reasonInside(tenant, workspace, question, permissions), permissions }
  }

  #reasonInside(tenant: Row, workspace: Row | undefined, question: Question, held: readonly string[]): string {
    const permission = this.#one('select * from permission where name = ?', question.permission)
    if (tenant.state === 'SUSPENDED') {
      if (tenant.mode !== 'READ_ONLY') return 'TENANT_SUSPENDED'
      if (permission?.effect === 'WRITE') return 'TENANT_READ_ONLY'
    }
    if (workspace?.state === 'ARCHIVED') return 'WORKSPACE_ARCHIVED'
    if (question.permission === '') return 'GRANTED'
    if (permission === undefined) return 'PERMISSION_UNKNOWN'
    return held.includes(question.permission) ? 'GRANTED' : 'PERMISSION_MISSING'
  }

  #principal(tenant: Row, { subject }: Question, key: Row | undefined): Row | undefined {
    const active = 'select * from principal where active = 1 and tenant_id = ?'
    const id = tenant.tenant_id
    switch (subject.kind) {
      case 'api_key':
        return this.#one(`${active} and principal_id = ?`, id, key?.owner_id)
      case 'principal':
        return this.#one(`${active} and principal_id = ?`, id, subject.principalId)
      case 'identity':
        return this.#one(
          `${active} and kind = 'user' and issuer <> '' and subject <> '' and issuer = ? and subject = ?`,
          id,
          subject.issuer,
          subject.subject,
        )
      default:
        return this.#one(`${active} and kind = ? and slug = ?`, id, subject.kind, subject.slug)
    }
  }

  #followWorkspace(tenantId: string, id: string, stored: StoredTenant): void {
    this.#run('delete from workspace where tenant_id = ? and workspace_id = ?', tenantId, id)
    const fact = stored.workspaces.get(id)
    if (fact) this.#run('insert into workspace values (?, ?, ?, ?)', tenantId, id, fact.slug, fact.state)
  }

  #followPrincipal(tenantId: string, id: string, stored: StoredTenant): void {
    this.#run('delete from principal where tenant_id = ? and principal_id = ?', tenantId, id)
    const fact = stored.principals.get(id)
    if (fact === undefined) return
    const { kind, slug, issuer, subject, active } = fact
    const insert = 'insert into principal values (?, ?, ?, ?, ?, ?, ?)'
    this.#run(insert, tenantId, id, kind, slug, issuer, subject, Number(active))
  }

  #followRole(tenantId: string, id: string, stored: StoredTenant): void {
    this.#run('delete from role where tenant_id = ? and role_id = ?', tenantId, id)
    for (const permission of stored.roles.get(id)?.permissions ?? []) {
      this.#run('insert into role values (?, ?, ?)', tenantId, id, permission)
    }
  }

  #followMembership(tenantId: string, id: string, stored: StoredTenant): void {
    this.#run('delete from membership where tenant_id = ? and membership_id = ?', tenantId, id)
    this.#run('delete from membership_role where tenant_id = ? and membership_id = ?', tenantId, id)
    const fact = stored.memberships.get(id)
    if (fact === undefined) return
    const { workspaceId, principalId, reachAll, expireTimeMs } = fact
    const insert = 'insert into membership values (?, ?, ?, ?, ?, ?)'
    this.#run(insert, tenantId, id, workspaceId, principalId, Number(reachAll), expireTimeMs ?? null)
    for (const role of fact.roles) this.#run('insert into membership_role values (?, ?, ?)', tenantId, id, role)
  }

  #followApiKey(tenantId: string, id: string, stored: StoredTenant): void {
    this.#run('delete from api_key where tenant_id = ? and api_key_id = ?', tenantId, id)
    this.#run('delete from api_key_permission where tenant_id = ? and api_key_id = ?', tenantId, id)
    const fact = stored.api_keys.get(id)
    if (fact === undefined) return
    const { workspaceId, ownerId, expireTimeMs, revoked, permissions } = fact
    const insert = 'insert into api_key values (?, ?, ?, ?, ?, ?, ?)'
    const narrowed = Number(permissions.length > 0)
    this.#run(insert, tenantId, id, workspaceId, ownerId, expireTimeMs ?? null, Number(revoked), narrowed)
    for (const name of permissions) this.#run('insert into api_key_permission values (?, ?, ?)', tenantId, id, name)
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values)
  }

  #one(sql: string, ...values: unknown[]): Row | undefined {
    return this.#statement(sql).get(...(values as SQLInputValue[])) as Row | undefined
  }

  #all(sql: string, named: Bind): Row[] {
    return this.#statement(sql).all(named) as Row[]
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

type Bind = Record<string, SQLInputValue>

function deny(reason: string): NaiveAnswer {
  return { reason, permissions: [] }
}
