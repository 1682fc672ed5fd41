import { EntitySchema } from 'typeorm'
import { describe, expect, test } from 'vitest'
import { UserTable } from '../../../src/people/user-table.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import { JournalTable } from '../../../src/tenancy/journal-table.ts'
import { pinsOf } from '../../../src/tenancy/pins.ts'
import { TenantHeadTable } from '../../../src/tenants/tenant-table.ts'

describe('what pins a table', () => {
  const text = { type: 'text' } as const
  const table = (keys: readonly string[], names: Readonly<Record<string, string>> = {}) =>
    new EntitySchema({
      name: 'things',
      columns: Object.fromEntries([
        ['body', text],
        ...keys.map((key) => [
          key,
          { ...text, primary: true, ...(names[key] === undefined ? {} : { name: names[key] }) },
        ]),
      ]),
    })

  test('is read off its primary key', () => {
    expect(pinsOf(UserTable as unknown as EntitySchema)).toEqual({
      table: 'users',
      columns: ['tenant_id'],
      idProperty: 'userId',
    })
    expect(pinsOf(SecretTable as unknown as EntitySchema)).toEqual({
      table: 'secrets',
      columns: ['tenant_id', 'workspace_id'],
      idProperty: 'secretId',
    })
    expect(pinsOf(TenantHeadTable as unknown as EntitySchema)).toEqual({
      table: 'tenant_heads',
      columns: ['tenant_id'],
      idProperty: 'tenantId',
    })
    expect(pinsOf(JournalTable as unknown as EntitySchema)).toEqual({
      table: 'journal',
      columns: ['tenant_id'],
      idProperty: 'eventId',
    })
  })

  test('of a workspace itself is its tenant: its own id is no pin', () => {
    expect(pinsOf(table(['tenant_id', 'workspace_id']))).toEqual({
      table: 'things',
      columns: ['tenant_id'],
      idProperty: 'workspace_id',
    })
    expect(pinsOf(table(['tenant_id', 'id', 'workspace_id']))).toEqual({
      table: 'things',
      columns: ['tenant_id'],
      idProperty: 'id',
    })
  })

  test('must begin with the tenant', () => {
    for (const keys of [['id', 'tenant_id'], ['id'], []]) {
      expect(() => pinsOf(table(keys))).toThrow('the primary key of things must begin with tenant_id')
    }
    const renamed = table(['owner', 'id'], { owner: 'tenant_id' })
    expect(pinsOf(renamed)).toEqual({ table: 'things', columns: ['tenant_id'], idProperty: 'id' })
  })
})
