import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nilUuid } from '../../../src/base/ids.ts'
import type { UserRow } from '../../../src/people/user.ts'
import { UserTable } from '../../../src/people/user-table.ts'
import type { TenantBinding } from '../../../src/sql-guard/guard-types.ts'
import type { Database } from '../../../src/storage/database.ts'
import { createRows, type Rows } from '../../../src/tenancy/rows.ts'
import { testCodes } from '../../support/test-codes.ts'

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

type Manager = Parameters<Parameters<Database['read']>[1]>[0]

/** What the tests do with a cell. Opened once for a suite. */
class Cell {
  #rig: StorageRig | undefined

  async open(open: () => Promise<StorageRig>): Promise<void> {
    this.#rig = await open()
  }

  async close(): Promise<void> {
    await this.#rig?.[Symbol.asyncDispose]()
  }

  get database(): Database {
    if (this.#rig === undefined) throw new Error('the rig is not open')
    return this.#rig.cell
  }

  insert(row: UserRow, keep = true): Promise<void> {
    return this.database.write(bound(row.tenantId), async (manager) => {
      await usersOf(row.tenantId, manager).insert(row)
      return { value: undefined, keep }
    })
  }

  find(tenantId: string, where: Partial<UserRow>): Promise<UserRow | undefined> {
    return this.database.read(bound(tenantId), (manager) => usersOf(tenantId, manager).find(where))
  }
}

function usersOf(tenantId: string, manager: Manager): Rows<UserRow> {
  return createRows(manager, UserTable, {
    place: { tenantId },
    idProperty: 'userId',
    touched: () => undefined,
    codes: testCodes(),
  })
}

/** What every engine must do alike; whoever adds an engine runs this and changes nothing in it. */
export function describeStorage(engine: string, open: () => Promise<StorageRig>): void {
  describe(`storage contract: ${engine}`, () => {
    const cell = new Cell()
    beforeAll(() => cell.open(open))
    afterAll(() => cell.close())
    rowsComeBackAsWritten(cell)
    unitsAreWholeOrNothing(cell)
    scopesAreApart(cell)
  })
}

function rowsComeBackAsWritten(cell: Cell): void {
  test('a row comes back as it was written: text, bytes-exact text, flags, numbers and milliseconds', async () => {
    const row = userRow(acme, 'whole', {
      displayName: 'Ünïcode 🎈 日本',
      email: 'a@b.example',
      emailVerified: true,
      version: 2 ** 40,
    })
    await cell.insert(row)
    expect(await cell.find(acme, { slug: 'whole' })).toMatchObject(row)
  })

  test('subjects that differ by case, trailing space, accent or normal form are different people', async () => {
    const subjects = ['bob', 'Bob', 'bob ', 'böb', 'bo\u0308b']
    for (const [index, subject] of subjects.entries()) await cell.insert(userRow(acme, `bob-${index}`, { subject }))
    for (const [index, subject] of subjects.entries()) {
      expect((await cell.find(acme, { issuer: 'https://idp.example', subject }))?.slug).toBe(`bob-${index}`)
    }
  })

  test('order is by code point, and a time orders by the millisecond', async () => {
    const tenant = '018f0000-0000-7000-8000-00000000000c'
    const names = ['b', 'B', 'a', 'é', 'z', '10', '9']
    for (const [index, email] of names.entries()) {
      const createTime = new Date(Date.UTC(2026, 0, 1, 0, 0, 0, 100 - index))
      await cell.insert(userRow(tenant, `o-${index}`, { email, createTime }))
    }
    const ordered = (property: string) =>
      cell.database.read(bound(tenant), (manager) =>
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
    await cell.insert(row)
    await cell.insert(bystander)
    const outcome = await cell.database.write(bound(acme), async (manager) => {
      const users = usersOf(acme, manager)
      const value = [
        await users.update(row.userId, { state: 'DISABLED' }),
        await users.update(crypto.randomUUID(), { state: 'DISABLED' }),
      ]
      return { value, keep: true }
    })
    expect(outcome).toEqual([true, false])
    expect((await cell.find(acme, { slug: 'bystander' }))?.state).toBe('ACTIVE')
  })
}

function unitsAreWholeOrNothing(cell: Cell): void {
  test('a second row of the same unique key is ALREADY_EXISTS and leaves nothing of its unit', async () => {
    const twice = cell.database.write(bound(acme), async (manager) => {
      await usersOf(acme, manager).insert(userRow(acme, 'first-of-two'))
      await usersOf(acme, manager).insert(userRow(acme, 'whole', { subject: 'other' }))
      return { value: undefined, keep: true }
    })
    await expect(twice).rejects.toMatchObject({ reason: 'ALREADY_EXISTS' })
    expect(await cell.find(acme, { slug: 'first-of-two' })).toBeUndefined()
  })

  test('the same key in two tenants is two rows', async () => {
    await cell.insert(userRow(globex, 'whole'))
    expect((await cell.find(globex, { slug: 'whole' }))?.tenantId).toBe(globex)
    expect((await cell.find(acme, { slug: 'whole' }))?.tenantId).toBe(acme)
  })

  test('a unit that is not kept, or throws, is rolled back', async () => {
    await cell.insert(userRow(acme, 'not-kept'), false)
    const thrown = cell.database.write(bound(acme), async (manager) => {
      await usersOf(acme, manager).insert(userRow(acme, 'thrown'))
      throw new Error('on purpose')
    })
    await expect(thrown).rejects.toThrow('on purpose')
    expect(await cell.find(acme, { slug: 'not-kept' })).toBeUndefined()
    expect(await cell.find(acme, { slug: 'thrown' })).toBeUndefined()
  })

  test('concurrent writers of one counter lose no update', async () => {
    const row = userRow(acme, 'counted')
    await cell.insert(row)
    const increment = () =>
      cell.database.write(bound(acme), async (manager) => {
        const lock = `SELECT version FROM users WHERE tenant_id = ? AND user_id = ?${cell.database.rowLock.forUpdate}`
        const [found] = await manager.query(lock, [acme, row.userId])
        await usersOf(acme, manager).update(row.userId, { version: Number(found.version) + 1 })
        return { value: undefined, keep: true }
      })
    await Promise.all(Array.from({ length: 32 }, increment))
    expect((await cell.find(acme, { slug: 'counted' }))?.version).toBe(33)
  })
}

function scopesAreApart(cell: Cell): void {
  test('a read sees one snapshot while others write', async () => {
    const tenant = '018f0000-0000-7000-8000-00000000000d'
    const counts = await cell.database.read(bound(tenant), async (manager) => {
      const before = await usersOf(tenant, manager).count({})
      await cell.insert(userRow(tenant, 'meanwhile'))
      return [before, await usersOf(tenant, manager).count({})]
    })
    expect(counts).toEqual([0, 0])
    expect(await cell.find(tenant, { slug: 'meanwhile' })).toBeDefined()
  })

  test('concurrent scopes of different tenants never see one another’s rows or binding', async () => {
    const tenants = [acme, globex]
    const reads = Array.from({ length: 60 }, async (_, index) => {
      const tenantId = tenants[index % 2] ?? acme
      const rows = await cell.database.read(bound(tenantId), async (manager) => {
        await new Promise((resolve) => setImmediate(resolve))
        return usersOf(tenantId, manager).list({}, 100)
      })
      return rows.every((row) => row.tenantId === tenantId)
    })
    expect((await Promise.all(reads)).every(Boolean)).toBe(true)
  })

  test('a read scope cannot write', async () => {
    const write = cell.database.read(bound(acme), (manager) => usersOf(acme, manager).insert(userRow(acme, 'sneaky')))
    await expect(write).rejects.toThrow()
    expect(await cell.find(acme, { slug: 'sneaky' })).toBeUndefined()
  })

  test('a statement without the pin of its tenant is refused', async () => {
    const naked = cell.database.read(bound(acme), (manager) => manager.query('SELECT * FROM users'))
    await expect(naked).rejects.toThrow(/guard/)
  })
}
