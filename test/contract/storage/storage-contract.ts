import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nilUuid } from '../../../src/base/ids.ts'
import type { UserRow } from '../../../src/people/user.ts'
import { UserTable } from '../../../src/people/user-table.ts'
import type { TenantBinding } from '../../../src/sql-guard/guard-types.ts'
import type { Database } from '../../../src/storage/database.ts'
import { createRows, type Rows } from '../../../src/tenancy/rows.ts'

export interface StorageRig extends AsyncDisposable {
  /** An empty cell with its schema, under the guard. */
  readonly cell: Database
}

const acme = '018f0000-0000-7000-8000-00000000000a'
const globex = '018f0000-0000-7000-8000-00000000000b'

function bound(tenantId: string): TenantBinding {
  return { kind: 'tenant', tenantId, workspaceId: nilUuid, allWorkspaces: false }
}

function userRow(tenantId: string, slug: string, changes: Partial<UserRow> = {}): UserRow {
  const time = new Date('2026-01-31T12:34:56.789Z')
  return {
    tenantId,
    userId: crypto.randomUUID(),
    slug,
    issuer: 'https://idp.example',
    subject: slug,
    email: '',
    emailVerified: false,
    displayName: '',
    state: 'ACTIVE',
    version: 1,
    createTime: time,
    updateTime: time,
    ...changes,
  }
}

/** What every engine must do alike; whoever adds an engine runs this and changes nothing in it. */
export function describeStorage(engine: string, open: () => Promise<StorageRig>): void {
  describe(`storage contract: ${engine}`, () => {
    let rig: StorageRig

    beforeAll(async () => {
      rig = await open()
    })

    afterAll(() => rig[Symbol.asyncDispose]())

    function usersOf(tenantId: string, manager: Parameters<Parameters<Database['read']>[1]>[0]): Rows<UserRow> {
      return createRows(manager, UserTable, { place: { tenantId }, idProperty: 'userId', touched: () => undefined })
    }

    function insert(row: UserRow, keep = true): Promise<void> {
      return rig.cell.write(bound(row.tenantId), async (manager) => {
        await usersOf(row.tenantId, manager).insert(row)
        return { value: undefined, keep }
      })
    }

    function find(tenantId: string, where: Partial<UserRow>): Promise<UserRow | undefined> {
      return rig.cell.read(bound(tenantId), (manager) => usersOf(tenantId, manager).find(where))
    }

    test('a row comes back as it was written: text, bytes-exact text, flags, numbers and milliseconds', async () => {
      const row = userRow(acme, 'whole', {
        displayName: 'Ünïcode 🎈 日本',
        email: 'a@b.example',
        emailVerified: true,
        version: 2 ** 40,
      })
      await insert(row)
      expect(await find(acme, { slug: 'whole' })).toEqual(row)
    })

    test('subjects that differ by case, trailing space, accent or normal form are different people', async () => {
      const subjects = ['bob', 'Bob', 'bob ', 'böb', 'bo\u0308b']
      for (const [index, subject] of subjects.entries()) await insert(userRow(acme, `bob-${index}`, { subject }))
      for (const [index, subject] of subjects.entries()) {
        expect((await find(acme, { issuer: 'https://idp.example', subject }))?.slug).toBe(`bob-${index}`)
      }
    })

    test('a second row of the same unique key is ALREADY_EXISTS and leaves nothing of its unit', async () => {
      const twice = rig.cell.write(bound(acme), async (manager) => {
        await usersOf(acme, manager).insert(userRow(acme, 'first-of-two'))
        await usersOf(acme, manager).insert(userRow(acme, 'whole', { subject: 'other' }))
        return { value: undefined, keep: true }
      })
      await expect(twice).rejects.toMatchObject({ reason: 'ALREADY_EXISTS' })
      expect(await find(acme, { slug: 'first-of-two' })).toBeUndefined()
    })

    test('the same key in two tenants is two rows', async () => {
      await insert(userRow(globex, 'whole'))
      expect((await find(globex, { slug: 'whole' }))?.tenantId).toBe(globex)
      expect((await find(acme, { slug: 'whole' }))?.tenantId).toBe(acme)
    })

    test('a unit that is not kept, or throws, is rolled back', async () => {
      await insert(userRow(acme, 'not-kept'), false)
      const thrown = rig.cell.write(bound(acme), async (manager) => {
        await usersOf(acme, manager).insert(userRow(acme, 'thrown'))
        throw new Error('on purpose')
      })
      await expect(thrown).rejects.toThrow('on purpose')
      expect(await find(acme, { slug: 'not-kept' })).toBeUndefined()
      expect(await find(acme, { slug: 'thrown' })).toBeUndefined()
    })

    test('order is by code point, and a time orders by the millisecond', async () => {
      const tenant = '018f0000-0000-7000-8000-00000000000c'
      const names = ['b', 'B', 'a', 'é', 'z', '10', '9']
      for (const [index, email] of names.entries()) {
        const createTime = new Date(Date.UTC(2026, 0, 1, 0, 0, 0, 100 - index))
        await insert(userRow(tenant, `o-${index}`, { email, createTime }))
      }
      const ordered = (property: string) =>
        rig.cell.read(bound(tenant), (manager) =>
          usersOf(tenant, manager).page({ conditions: [], orderBy: [{ property, descending: false }], limit: 100 }),
        )
      expect((await ordered('email')).map(({ email }) => email)).toEqual(['10', '9', 'B', 'a', 'b', 'z', 'é'])
      expect((await ordered('createTime')).map(({ slug }) => slug)).toEqual(
        names.map((_, index) => `o-${names.length - 1 - index}`),
      )
    })

    test('an update answers whether there was such a row, and touches that one alone', async () => {
      const row = userRow(acme, 'updated')
      const bystander = userRow(acme, 'bystander')
      await insert(row)
      await insert(bystander)
      const outcome = await rig.cell.write(bound(acme), async (manager) => {
        const users = usersOf(acme, manager)
        const value = [
          await users.update(row.userId, { state: 'DISABLED' }),
          await users.update(crypto.randomUUID(), { state: 'DISABLED' }),
        ]
        return { value, keep: true }
      })
      expect(outcome).toEqual([true, false])
      expect((await find(acme, { slug: 'bystander' }))?.state).toBe('ACTIVE')
    })

    test('a read sees one snapshot while others write', async () => {
      const tenant = '018f0000-0000-7000-8000-00000000000d'
      const counts = await rig.cell.read(bound(tenant), async (manager) => {
        const before = await usersOf(tenant, manager).count({})
        await insert(userRow(tenant, 'meanwhile'))
        return [before, await usersOf(tenant, manager).count({})]
      })
      expect(counts).toEqual([0, 0])
      expect(await find(tenant, { slug: 'meanwhile' })).toBeDefined()
    })

    test('concurrent writers of one counter lose no update', async () => {
      const row = userRow(acme, 'counted')
      await insert(row)
      const increment = () =>
        rig.cell.write(bound(acme), async (manager) => {
          const found = await usersOf(acme, manager).find({ slug: 'counted' })
          await usersOf(acme, manager).update(row.userId, { version: (found?.version ?? 0) + 1 })
          return { value: undefined, keep: true }
        })
      await Promise.all(Array.from({ length: 32 }, increment))
      expect((await find(acme, { slug: 'counted' }))?.version).toBe(33)
    })

    test('concurrent scopes of different tenants never see one another’s rows or binding', async () => {
      const tenants = [acme, globex]
      const reads = Array.from({ length: 60 }, async (_, index) => {
        const tenantId = tenants[index % 2] ?? acme
        const rows = await rig.cell.read(bound(tenantId), async (manager) => {
          await new Promise((resolve) => setImmediate(resolve))
          return usersOf(tenantId, manager).list({}, 100)
        })
        return rows.every((row) => row.tenantId === tenantId)
      })
      expect((await Promise.all(reads)).every(Boolean)).toBe(true)
    })

    test('a read scope cannot write', async () => {
      const write = rig.cell.read(bound(acme), (manager) => usersOf(acme, manager).insert(userRow(acme, 'sneaky')))
      await expect(write).rejects.toThrow()
      expect(await find(acme, { slug: 'sneaky' })).toBeUndefined()
    })

    test('a statement without the pin of its tenant is refused', async () => {
      const naked = rig.cell.read(bound(acme), (manager) => manager.query('SELECT * FROM users'))
      await expect(naked).rejects.toThrow(/guard/)
    })
  })
}
