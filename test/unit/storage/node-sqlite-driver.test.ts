import { In, Like, Not } from 'typeorm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { guardRefusalIn } from '../../../src/sql-guard/guard-refusal.ts'
import {
  ACME,
  GLOBEX,
  MemberTable,
  NoteTable,
  openSeededDataSource,
  PROD,
  type SeededDataSource,
  STAGE,
} from './guarded-data-source.ts'

let rig: SeededDataSource

beforeEach(async () => {
  rig = await openSeededDataSource()
})

afterEach(async () => {
  await rig[Symbol.asyncDispose]()
})

async function reasonOf(act: () => Promise<unknown> | unknown): Promise<string | undefined> {
  try {
    await act()
  } catch (error) {
    return guardRefusalIn(error)?.reason ?? `not a refusal: ${String(error)}`
  }
  return 'no refusal'
}

describe('TypeORM over the guarded connection', () => {
  test('repository reads return the rows of the bound tenant', async () => {
    const members = rig.dataSource.getRepository(MemberTable)
    await rig.asTenant(ACME, PROD, async () => {
      expect((await members.find({ where: { tenant_id: ACME }, order: { id: 'ASC' }, take: 2 })).length).toBe(2)
      expect((await members.findOneBy({ tenant_id: ACME, id: 'm2' }))?.name).toBe('member 2')
      expect(
        await members.find({ where: { tenant_id: ACME, id: In(['m1', 'm3']), name: Not(Like('x%')) } }),
      ).toHaveLength(2)
      expect(
        await members.find({
          where: [
            { tenant_id: ACME, id: 'm1' },
            { tenant_id: ACME, id: 'm2' },
          ],
        }),
      ).toHaveLength(2)
      expect(await members.countBy({ tenant_id: ACME })).toBe(3)
      expect(await members.existsBy({ tenant_id: ACME, id: 'm9' })).toBe(false)
      expect(await members.sum('visits', { tenant_id: ACME })).toBe(6)
      expect((await members.findAndCount({ where: { tenant_id: ACME }, skip: 1, take: 1 }))[1]).toBe(3)
    })
    expect(rig.refusals).toEqual([])
  })

  test('inserts, updates, deletes and upserts by query builder reach the bound tenant only', async () => {
    const member = { tenant_id: ACME, id: 'm4', name: 'new', visits: 0, joined_at: '2026-11-22 00:00:00.000' }
    await rig.asTenant(ACME, PROD, async () => {
      const builder = () => rig.dataSource.createQueryBuilder()
      await builder().insert().into(MemberTable).values(member).updateEntity(false).execute()
      const updated = await builder()
        .update(MemberTable)
        .set({ name: 'renamed', visits: () => 'visits + 1' })
        .where('tenant_id = :tenant AND id = :id', { tenant: ACME, id: 'm4' })
        .execute()
      expect(updated.affected).toBe(1)
      await builder()
        .insert()
        .into(MemberTable)
        .values({ ...member, name: 'upserted' })
        .orUpdate(['name'], ['tenant_id', 'id'])
        .updateEntity(false)
        .execute()
      await rig.dataSource.getRepository(MemberTable).upsert({ ...member, visits: 9 }, ['tenant_id', 'id'])
      const removed = await builder().delete().from(MemberTable).where({ tenant_id: ACME, id: 'm3' }).execute()
      expect(removed.affected).toBe(1)
      await rig.dataSource.getRepository(MemberTable).update({ tenant_id: ACME, id: 'm1' }, { name: 'one' })
      await rig.dataSource.getRepository(MemberTable).delete({ tenant_id: ACME, id: 'm2' })
      expect(
        (await rig.dataSource.getRepository(MemberTable).findBy({ tenant_id: ACME })).map(({ id, name }) => [id, name]),
      ).toEqual([
        ['m1', 'one'],
        ['m4', 'new'],
      ])
    })
    const left = await rig.asTenant(GLOBEX, PROD, () =>
      rig.dataSource.getRepository(MemberTable).findBy({ tenant_id: GLOBEX }),
    )
    expect(left.map(({ name }) => name)).toEqual(['member 1', 'member 2', 'member 3'])
    expect(rig.refusals).toEqual([])
  })

  test('pagination over a join (distinctAlias) stays inside tenant and workspace', async () => {
    await rig.asTenant(ACME, PROD, async () => {
      const page = await rig.dataSource
        .createQueryBuilder(MemberTable, 'member')
        .leftJoinAndMapMany(
          'member.notes',
          'note',
          'note',
          'note.tenant_id = member.tenant_id AND note.workspace_id = :workspace AND note.member_id = member.id',
          { workspace: PROD },
        )
        .where('member.tenant_id = :tenant', { tenant: ACME })
        .orderBy('member.id', 'ASC')
        .skip(0)
        .take(2)
        .getMany()
      expect(page.map(({ id }) => id)).toEqual(['m1', 'm2'])
      expect((page[0] as unknown as { notes: unknown[] }).notes).toHaveLength(2)
    })
    expect(rig.statements.some((sql) => sql.includes('distinctAlias'))).toBe(true)
    expect(rig.refusals).toEqual([])
  })

  test('a rolled back transaction and a rolled back savepoint leave nothing', async () => {
    const members = rig.dataSource.getRepository(MemberTable)
    await rig.asTenant(ACME, PROD, async () => {
      await expect(
        rig.dataSource.transaction(async (manager) => {
          await manager.update(MemberTable, { tenant_id: ACME, id: 'm1' }, { name: 'lost' })
          throw new Error('undo')
        }),
      ).rejects.toThrow('undo')
      await rig.dataSource.transaction(async (manager) => {
        await manager.update(MemberTable, { tenant_id: ACME, id: 'm2' }, { name: 'kept' })
        await manager
          .transaction(async (inner) => {
            await inner.update(MemberTable, { tenant_id: ACME, id: 'm3' }, { name: 'lost' })
            throw new Error('undo')
          })
          .catch(() => undefined)
      })
      const names = (await members.find({ where: { tenant_id: ACME }, order: { id: 'ASC' } })).map(({ name }) => name)
      expect(names).toEqual(['member 1', 'kept', 'member 3'])
    })
    expect(rig.refusals).toEqual([])
  })

  test('statements without a proof are refused whatever door of TypeORM they take', async () => {
    const members = rig.dataSource.getRepository(MemberTable)
    await rig.asTenant(ACME, PROD, async () => {
      expect(await reasonOf(() => rig.dataSource.query('SELECT name FROM members'))).toBe('unpinned-tenant')
      expect(await reasonOf(() => members.find())).toBe('unpinned-tenant')
      expect(await reasonOf(() => members.findOneBy({ id: 'm1' }))).toBe('unpinned-tenant')
      expect(await reasonOf(() => members.findOneBy({ tenant_id: GLOBEX, id: 'm1' }))).toBe('foreign-tenant')
      expect(await reasonOf(() => members.clear())).toBe('unpinned-tenant')
      expect(await reasonOf(() => members.delete({ tenant_id: GLOBEX, id: 'm1' }))).toBe('foreign-tenant')
      const notes = rig.dataSource.getRepository(NoteTable)
      expect(await reasonOf(() => notes.findBy({ tenant_id: ACME }))).toBe('unpinned-workspace')
      expect(await reasonOf(() => notes.findBy({ tenant_id: ACME, workspace_id: STAGE }))).toBe('foreign-workspace')
      expect(await reasonOf(() => rig.dataSource.query('PRAGMA table_info(members)'))).toBe('word')
      expect(await reasonOf(() => rig.connection.pragma('foreign_keys = OFF'))).toBe('word')
    })
    expect(rig.refusals.length).toBe(10)
  })

  test('a statement prepared for one tenant is judged again under the next', async () => {
    const members = rig.dataSource.getRepository(MemberTable)
    const readAcme = () => members.findOneBy({ tenant_id: ACME, id: 'm1' })
    expect(await rig.asTenant(ACME, PROD, readAcme)).not.toBeNull()
    expect(await rig.asTenant(GLOBEX, PROD, () => reasonOf(readAcme))).toBe('foreign-tenant')
    expect(await reasonOf(readAcme)).toBe('unbound')
  })

  test('a platform capability reads its table across tenants and writes nothing', async () => {
    using _census = rig.bind({ kind: 'platform', purpose: 'census' })
    expect(await rig.dataSource.getRepository(MemberTable).count()).toBe(6)
    expect(await reasonOf(() => rig.dataSource.getRepository(NoteTable).count())).toBe('platform-table')
    const rename = () => rig.dataSource.getRepository(MemberTable).update({ id: 'm1' }, { name: 'x' })
    expect(await reasonOf(rename)).toBe('platform-read-only')
  })

  test('an unbound connection runs ROLLBACK and nothing else', async () => {
    for (const sql of ['SELECT 1', 'BEGIN', 'COMMIT', 'ROLLBACK ', 'PRAGMA user_version']) {
      expect(await reasonOf(() => rig.dataSource.query(sql))).toBe('unbound')
    }
    expect(() => rig.connection.prepare('ROLLBACK')).not.toThrow()
    expect(await reasonOf(() => rig.connection.exec('DROP TABLE members'))).toBe('unbound')
    expect(await reasonOf(() => rig.connection.pragma('foreign_keys = OFF'))).toBe('unbound')
  })

  test('a bound connection cannot be bound again before it is released', () => {
    const tenant = { kind: 'tenant', tenantId: ACME, workspaceId: PROD, allWorkspaces: false } as const
    const first = rig.bind(tenant)
    expect(() => rig.bind({ ...tenant, tenantId: GLOBEX })).toThrow('already bound')
    first[Symbol.dispose]()
    const second = rig.bind(tenant)
    first[Symbol.dispose]()
    expect(() => rig.bind(tenant)).toThrow('already bound')
    second[Symbol.dispose]()
  })
})

describe('values', () => {
  test('times, booleans, blobs and large integers come back as the stored form', async () => {
    await rig.asTenant(ACME, PROD, async () => {
      const { connection } = rig
      const when = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6))
      connection
        .prepare('INSERT INTO members (tenant_id, id, name, visits, photo, joined_at) VALUES (?, ?, ?, ?, ?, ?)')
        .run(ACME, 'v1', 'values', 2n ** 60n, Buffer.from([0, 1, 255]), when)
      connection
        .prepare('INSERT INTO members (tenant_id, id, name, visits) VALUES (?, ?, ?, ?)')
        .run(ACME, 'v2', 'values', true)
      const [first, second] = connection
        .prepare('SELECT * FROM members WHERE tenant_id = ? AND name = ? ORDER BY id')
        .all(ACME, 'values')
      expect(first?.joined_at).toBe('2026-01-02 03:04:05.006')
      expect(first?.visits).toBe(2n ** 60n)
      expect(Buffer.isBuffer(first?.photo)).toBe(true)
      expect(first?.photo).toEqual(Buffer.from([0, 1, 255]))
      expect(second?.visits).toBe(1)
      expect(second?.photo).toBeNull()
      expect(Object.getPrototypeOf(first)).toBe(Object.prototype)
    })
  })

  test.each([undefined, { toSqlString: () => '1 OR 1' }, ['m1'], Number.NaN, () => 1, Symbol('x')])(
    'a parameter %o never reaches the engine',
    async (value) => {
      await rig.asTenant(ACME, PROD, async () => {
        const read = () => rig.dataSource.query('SELECT id FROM members WHERE tenant_id = ? AND id = ?', [ACME, value])
        expect(await reasonOf(read)).toBe('parameter-type')
      })
    },
  )

  test('the tail after the first statement is never dropped silently', () => {
    using _migration = rig.bind({ kind: 'migration' })
    expect(() => rig.connection.prepare('CREATE TABLE a (x); CREATE TABLE b (x)')).toThrow('one statement at a time')
    expect(() => rig.connection.prepare('CREATE TABLE a (x);  \n')).not.toThrow()
  })
})
