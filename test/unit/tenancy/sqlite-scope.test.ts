import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CreateSecretResponseSchema } from '../../../src/gen/tenure/v1/secret_service_pb.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import type { GuardBinding } from '../../../src/sql-guard/guard-types.ts'
import { outsidePlaces } from '../../../src/tenancy/place-check.ts'
import { readCell, writeCell } from '../../../src/tenancy/platform-scope.ts'
import type { TenantContext } from '../../../src/tenancy/tenant-context.ts'
import type { ReadScope } from '../../../src/tenancy/tenant-unit.ts'
import { testRowCodes } from '../../support/test-codes.ts'
import {
  acme,
  contextAt,
  globex,
  inserting,
  mutation,
  nothing,
  openScopeRig,
  type ScopeRig,
  stage,
} from './scope-rig.ts'

let rig: ScopeRig
const here = contextAt()
const beside = contextAt({ workspaceId: stage })
const abroad = contextAt({ tenantId: globex })

beforeAll(async () => {
  rig = await openScopeRig()
  for (const context of [here, beside, abroad]) await rig.scopes.writeVolume(context, mutation, inserting('kept'))
})

afterAll(() => rig[Symbol.asyncDispose]())

beforeEach(() => {
  rig.statements.length = 0
})

const secretIds = async (scope: ReadScope) => {
  const rows = await scope.rows(SecretTable).all({})
  return rows.map(({ secretId }) => secretId).sort()
}

describe('a scope that reads', () => {
  test('sees the rows of the workspace of its context alone, and knows its context', async () => {
    expect(await rig.scopes.read(here, secretIds)).toEqual(['aa-kept'])
    expect(await rig.scopes.read(beside, secretIds)).toEqual(['ab-kept'])
    expect(await rig.scopes.read(abroad, secretIds)).toEqual(['ba-kept'])
    expect(await rig.scopes.read(here, async ({ context }) => context)).toBe(here)
  })

  test('over every workspace sees those of its tenant and of no other', async () => {
    expect(await rig.scopes.readAllWorkspaces(here, 'purge', secretIds)).toEqual(['aa-kept', 'ab-kept'])
    expect(await rig.scopes.readAllWorkspaces(abroad, 'purge', secretIds)).toEqual(['ba-kept'])
    expect(await rig.scopes.readAllWorkspaces(here, 'purge', async ({ context }) => context)).toBe(here)
  })

  test('cannot write, even on a connection that could', async () => {
    const writable = rig.scopesOver({
      read: (binding, work) =>
        rig.cell.write(binding, async (manager) => ({ value: await work(manager), keep: false })),
    })
    const removing = ({ rows }: ReadScope) => rows(SecretTable).deleteAll({ slug: 'kept' })
    for (const scopes of [rig.scopes, writable]) {
      await expect(scopes.read(here, removing)).rejects.toThrow()
      await expect(scopes.readAllWorkspaces(here, 'purge', removing)).rejects.toThrow()
    }
    await expect(writable.read(here, removing)).rejects.toThrow('a read scope cannot write')
    await expect(writable.readAllWorkspaces(here, 'purge', removing)).rejects.toThrow('a read scope cannot write')
  })
})

test('a scope binds its connection to its own workspace, and to every one only where that is asked', async () => {
  const bindings: GuardBinding[] = []
  const scopes = rig.scopesOver({
    read: (binding, work) => {
      bindings.push(binding)
      return rig.cell.read(binding, work)
    },
    write: (binding, work) => {
      bindings.push(binding)
      return rig.cell.write(binding, work)
    },
  })
  const trying = { ...mutation, validateOnly: true }
  const boundBy = async (use: () => Promise<unknown>) => {
    bindings.length = 0
    await use()
    return bindings[0]
  }
  const narrow = { kind: 'tenant', tenantId: here.tenantId, workspaceId: here.workspaceId, allWorkspaces: false }
  const named = { ...trying, idempotency: { key: Buffer.alloc(16, 9), requestHash: Buffer.alloc(32) } }
  expect(await boundBy(() => scopes.read(here, secretIds))).toEqual(narrow)
  expect(await boundBy(() => scopes.answered(here, named))).toEqual(narrow)
  expect(await boundBy(() => scopes.write(here, trying, nothing))).toEqual(narrow)
  expect(await boundBy(() => scopes.writeVolume(here, trying, nothing))).toEqual(narrow)
  const wide = { ...narrow, allWorkspaces: true }
  expect(await boundBy(() => scopes.readAllWorkspaces(here, 'purge', secretIds))).toEqual(wide)
  expect(await boundBy(() => scopes.write(here, { ...trying, allWorkspaces: 'purge' }, nothing))).toEqual(wide)
})

describe('inside the scope of one tenant', () => {
  const idempotency = { key: Buffer.alloc(16, 1), requestHash: Buffer.alloc(32, 1) }
  const inside = (context: TenantContext): readonly (() => Promise<unknown>)[] => [
    () => rig.scopes.read(context, secretIds),
    () => rig.scopes.readAllWorkspaces(context, 'purge', secretIds),
    () => rig.scopes.answered(context, { ...mutation, idempotency }),
    () => rig.scopes.write(context, { ...mutation, validateOnly: true }, nothing),
    () => rig.scopes.writeVolume(context, { ...mutation, validateOnly: true }, nothing),
  ]
  const opened: readonly [string, (work: () => Promise<unknown>) => Promise<unknown>][] = [
    ['reads', (work) => rig.scopes.read(here, work)],
    ['reads every workspace', (work) => rig.scopes.readAllWorkspaces(here, 'purge', work)],
  ]

  test.each(opened)('that %s none of another can be opened, and others of its own can', async (_name, open) => {
    for (const foreign of inside(abroad)) await expect(open(foreign)).rejects.toThrow('inside a scope of another')
    await expect(open(() => Promise.all(inside(beside).map((own) => own())))).resolves.toHaveLength(5)
  })

  test('that writes none of another can be opened', async () => {
    const straying = async () => {
      await rig.scopes.read(abroad, secretIds)
      return create(CreateSecretResponseSchema)
    }
    await expect(rig.scopes.write(here, mutation, straying)).rejects.toThrow('inside a scope of another')
    await expect(rig.scopes.writeVolume(here, mutation, straying)).rejects.toThrow('inside a scope of another')
  })

  test('no power of the platform can be used, unless what is asked serves every place', async () => {
    const { cell, capabilities } = rig
    const heads = () => readCell(cell, capabilities['projection-repair'], async () => 'read')
    const operations = () => writeCell(cell, capabilities.operations, async () => 'written', testRowCodes())
    for (const [, open] of opened) {
      for (const use of [heads, operations]) {
        await expect(open(async () => use())).rejects.toThrow('used inside a scope of a tenant')
      }
      expect(await open(() => outsidePlaces(heads))).toBe('read')
    }
    expect([await heads(), await operations()]).toEqual(['read', 'written'])
  })
})

describe('a request that names itself', () => {
  const idempotency = { key: Buffer.alloc(16, 2), requestHash: Buffer.alloc(32, 2) }
  const named = { ...mutation, idempotency }

  test('is answered as it was before, to its own tenant alone', async () => {
    expect(await rig.scopes.answered(here, named)).toBeUndefined()
    const answer = await rig.scopes.write(here, named, inserting('named'))
    expect(await rig.scopes.answered(here, named)).toEqual(answer)
    expect(answer.revision).not.toBe('')
    expect(await rig.scopes.answered(abroad, named)).toBeUndefined()
    const other = { ...named, idempotency: { ...idempotency, requestHash: Buffer.alloc(32, 3) } }
    await expect(rig.scopes.answered(here, other)).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' })
  })

  test('is looked for in the journal, one that does not is not looked for at all', async () => {
    await rig.scopes.answered(here, named)
    expect(rig.statements).toHaveLength(1)
    expect(await rig.scopes.answered(here, mutation)).toBeUndefined()
    expect(rig.statements).toHaveLength(1)
  })
})

test('both tenants are where they began: nothing of one was ever counted at the other', async () => {
  const heads = await rig.run('SELECT tenant_id, revision FROM tenant_heads ORDER BY tenant_id')
  expect(heads.map((row) => [row.tenant_id, Number(row.revision)])).toEqual([
    [acme, 2],
    [globex, 1],
  ])
})
