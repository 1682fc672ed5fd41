import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TenureError } from '../../../src/base/errors.ts'
import { decodeRevision } from '../../../src/base/revision.ts'
import { SecretTable } from '../../../src/secrets/secret-table.ts'
import type { Database } from '../../../src/storage/database.ts'
import type { Scopes } from '../../../src/tenancy/scope.ts'
import type { TenantContext } from '../../../src/tenancy/tenant-context.ts'
import type { Unit } from '../../../src/tenancy/tenant-unit.ts'
import { WorkspaceTable } from '../../../src/tenants/workspace-table.ts'
import {
  acme,
  contextAt,
  directoryRevision,
  inserting,
  mutation,
  nothing,
  openScopeRig,
  prod,
  rowLock,
  type ScopeRig,
  secretRow,
  stage,
  time,
  timeline,
} from './scope-rig.ts'

let rig: ScopeRig
const here = contextAt()

beforeEach(async () => {
  rig = await openScopeRig()
})

afterEach(async () => {
  vi.restoreAllMocks()
  await rig[Symbol.asyncDispose]()
})

async function headOf(tenantId: string) {
  const [row] = await rig.run('SELECT revision, sequence, chain_hash FROM tenant_heads WHERE tenant_id = ?', [tenantId])
  return {
    revision: Number(row?.revision),
    sequence: Number(row?.sequence),
    chainHash: Buffer.from(row?.chain_hash as Uint8Array).toString('base64'),
  }
}

async function chainsOf(tenantId: string): Promise<unknown[]> {
  const rows = await rig.run('SELECT chain, sequence FROM audit_chains WHERE tenant_id = ? ORDER BY chain', [tenantId])
  return rows.map(({ chain, sequence }) => [chain, Number(sequence)])
}

/** Either kind of unit, as one function. */
const kinds: readonly ['write' | 'writeVolume'][] = [['write'], ['writeVolume']]
const workspaceRow = (workspaceId: string) => ({
  ...{ tenantId: acme, workspaceId, slug: workspaceId, displayName: '', state: 'ACTIVE' as const, labels: {} },
  ...{ version: 1, createTime: time, updateTime: time, deleteTime: null, purgeTime: null },
})

describe('a unit of authority', () => {
  test('tells of its commit once it is made: its revision, the end of its chain and every row it touched', async () => {
    const row = secretRow(here, 'one')
    const answer = await rig.scopes.write(here, mutation, async (unit) => {
      await unit.rows(WorkspaceTable).insert(workspaceRow(stage))
      await unit.rows(SecretTable).insert(row)
      await unit.rows(SecretTable).update(row.secretId, { version: 2 })
      await unit.rows(SecretTable).delete(row.secretId)
      expect([unit.context, unit.now, unit.head.revision]).toEqual([here, time, 1])
      return { ...(await nothing()), revision: unit.revision }
    })
    const { revision, chainHash } = await headOf(acme)
    expect(revision).toBe(2)
    expect(decodeRevision(answer.revision)).toEqual({
      ...{ directoryRevision, tenantId: acme, timelineId: timeline, placementEpoch: 1, tenantRevision: 2 },
    })
    const ofSecret = ['secrets', prod, row.secretId]
    expect(rig.committed).toEqual([
      {
        ...{ tenantId: acme, revision, chainHash },
        changes: [['workspaces', '', stage], ofSecret, ofSecret, ofSecret],
        contents: [workspaceRow(stage), row, undefined, null],
      },
    ])
    const journal = await rig.run('SELECT workspace_id, changes, revision FROM journal WHERE event = ?', [
      mutation.event,
    ])
    expect(journal.map((event) => [event.workspace_id, Number(event.revision)])).toEqual([[prod, 2]])
    expect(JSON.parse(String(journal[0]?.changes))).toEqual(rig.committed[0]?.changes)
  })

  test('that wrote nothing tells of no commit: one that only tries, one that is repeated, one that fails', async () => {
    const idempotency = { key: Buffer.alloc(16, 1), requestHash: Buffer.alloc(32, 1) }
    await rig.scopes.write(here, { ...mutation, validateOnly: true }, inserting('tried'))
    expect([rig.committed.length, (await headOf(acme)).revision]).toEqual([0, 1])
    const answers = []
    for (const slug of ['first', 'again']) {
      answers.push(await rig.scopes.write(here, { ...mutation, idempotency }, inserting(slug)))
    }
    expect(answers[1]).toEqual(answers[0])
    const failing = rig.scopes.write(here, mutation, () => Promise.reject(new Error('in the middle')))
    await expect(failing).rejects.toThrow('in the middle')
    expect([rig.committed.length, (await headOf(acme)).revision]).toEqual([1, 2])
    expect(await rig.scopes.read(here, ({ rows }) => rows(SecretTable).count({}))).toBe(1)
  })

  test('is answered only when decisions reflect it', async () => {
    const taken = Promise.withResolvers<void>()
    rig.onCommitted = () => taken.promise
    let answered = false
    const written = rig.scopes.write(here, mutation, nothing).then(() => {
      answered = true
    })
    await vi.waitFor(() => expect(rig.committed).toHaveLength(1))
    expect(answered).toBe(false)
    taken.resolve()
    await written
  })

  test('looks at its admission only when the commit before it is taken in', async () => {
    const heard: string[] = []
    rig.onReadmit = async () => void heard.push('readmitted')
    rig.onCommitted = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      heard.push('taken in')
    }
    await Promise.all([rig.scopes.write(here, mutation, nothing), rig.scopes.write(here, mutation, nothing)])
    expect(heard).toEqual(['readmitted', 'taken in', 'readmitted', 'taken in'])
  })

  test('whose commit is taken in, or never can be, keeps nobody waiting', async () => {
    const waits = vi.spyOn(globalThis, 'setTimeout')
    await rig.scopes.write(here, mutation, nothing)
    rig.onCommitted = () => Promise.reject(new Error('not taken in'))
    await expect(rig.scopes.write(here, mutation, nothing)).rejects.toThrow('not taken in')
    rig.onCommitted = async () => undefined
    await rig.scopes.write(here, mutation, nothing)
    expect(waits.mock.calls.filter(([, ms]) => ms === 50)).toEqual([])
    expect((await headOf(acme)).revision).toBe(4)
  })

  test('locks the head for itself alone before it reads anything', async () => {
    rig.statements.length = 0
    await rig.scopes.write(here, mutation, inserting('locked'))
    expect(rig.statements[0]).toMatch(/^SELECT .* FROM tenant_heads WHERE tenant_id = \? $/)
  })

  test('looks past its workspace only where it was opened for it', async () => {
    await rig.scopes.writeVolume(contextAt({ workspaceId: stage }), mutation, inserting('there'))
    const looking = async (unit: Unit) => {
      expect(await unit.rows(SecretTable).count({})).toBe(0)
      expect(await unit.rowsOfAllWorkspaces(SecretTable).deleteAll({ slug: 'there' })).toBe(1)
      return nothing()
    }
    await expect(rig.scopes.write(here, mutation, looking)).rejects.toThrow(/guard/)
    await expect(rig.scopes.writeVolume(here, mutation, looking)).rejects.toThrow(/guard/)
    await rig.scopes.write(here, { ...mutation, allWorkspaces: 'purge' }, looking)
    expect(rig.committed[0]?.changes).toEqual([['secrets', prod, 'ab-there']])
  })
})

describe('a unit of volume', () => {
  test('goes on the chain of its workspace, and shares the head once that chain has begun', async () => {
    await rig.scopes.writeVolume(here, mutation, inserting('first'))
    await rig.scopes.writeVolume(contextAt({ workspaceId: stage }), mutation, inserting('elsewhere'))
    rig.statements.length = 0
    const answer = await rig.scopes.writeVolume(here, mutation, inserting('second'))
    expect(rig.statements.slice(0, 2)).toEqual([
      expect.stringMatching(/FROM tenant_heads WHERE tenant_id = \? {2}$/),
      expect.stringMatching(/FROM audit_chains WHERE tenant_id = \? AND chain = \? $/),
    ])
    expect(await chainsOf(acme)).toEqual([
      [`workspace/${prod}`, 2],
      [`workspace/${stage}`, 1],
    ])
    expect([await headOf(acme), rig.committed]).toMatchObject([{ revision: 1, sequence: 1 }, []])
    expect(decodeRevision(answer.revision)?.tenantRevision).toBe(1)
    const journal = await rig.run('SELECT workspace_id, revision FROM journal WHERE event = ?', [mutation.event])
    expect(journal.map(({ revision }) => Number(revision))).toEqual([0, 0, 0])
  })

  test('that begins the chain holds the head alone, and runs once', async () => {
    let runs = 0
    rig.statements.length = 0
    await rig.scopes.writeVolume(here, mutation, (unit) => {
      runs += 1
      return inserting('first')(unit)
    })
    const locks = rig.statements.flatMap((sql) => /FROM tenant_heads WHERE tenant_id = \?(.*)$/.exec(sql)?.[1] ?? [])
    expect([locks, runs]).toEqual([[rowLock.forShare, rowLock.forUpdate], 1])
  })

  test('that only tries begins no chain', async () => {
    await rig.scopes.writeVolume(here, { ...mutation, validateOnly: true }, inserting('tried'))
    expect(await chainsOf(acme)).toEqual([])
    expect(await rig.scopes.read(here, ({ rows }) => rows(SecretTable).count({}))).toBe(0)
  })

  /** Fails that many times with that, then writes. */
  function failing(times: number, error: Error): { readonly scopes: Scopes; readonly tries: () => number } {
    let tries = 0
    const write: Database['write'] = (binding, work) => {
      tries += 1
      return tries <= times ? Promise.reject(error) : rig.cell.write(binding, work)
    }
    return { scopes: rig.scopesOver({ write }), tries: () => tries }
  }

  const named = { ...mutation, idempotency: { key: Buffer.alloc(16, 1), requestHash: Buffer.alloc(32, 1) } }
  const taken = new TenureError('ALREADY_EXISTS', 'taken')

  test('whose request id another workspace used at the same time is tried once more', async () => {
    const once = failing(1, taken)
    await once.scopes.writeVolume(here, named, inserting('second'))
    expect(await rig.scopes.read(here, ({ rows }) => rows(SecretTable).count({}))).toBe(1)
    const twice = failing(2, taken)
    await expect(twice.scopes.writeVolume(here, named, inserting('third'))).rejects.toBe(taken)
    expect(twice.tries()).toBe(2)
  })

  test.each([
    ['whose name is taken, without a request id', mutation, taken],
    ['that finds nothing', named, new TenureError('NOT_FOUND', 'gone')],
    ['that breaks', named, Object.assign(new Error('broken'), { reason: 'ALREADY_EXISTS' })],
  ])('%s, is not tried again', async (_name, asked, error) => {
    const { scopes, tries } = failing(1, error)
    await expect(scopes.writeVolume(here, asked, inserting('none'))).rejects.toBe(error)
    expect(tries()).toBe(1)
  })
})

describe.each(kinds)('before it runs, %s', (kind) => {
  const write = (context: TenantContext, changes: Partial<typeof mutation> & object = {}) => {
    const ran = vi.fn(nothing)
    return { ran, written: rig.scopes[kind](context, { ...mutation, ...changes }, ran) }
  }
  const refused = async ({ ran, written }: ReturnType<typeof write>, expected: object) => {
    await expect(written).rejects.toMatchObject(expected)
    expect(ran).not.toHaveBeenCalled()
  }

  test('has the admission checked again, at the revision of the head', async () => {
    await rig.run('UPDATE tenant_heads SET revision = 5 WHERE tenant_id = ?', [acme])
    const { written } = write(here, { validateOnly: true })
    await written
    expect(rig.readmitted).not.toEqual([])
    for (const asked of rig.readmitted) expect(asked).toEqual([here, 5])
    rig.onReadmit = () => Promise.reject(new TenureError('PERMISSION_MISSING', 'lost'))
    await refused(write(here), { reason: 'PERMISSION_MISSING' })
  })

  test('refuses a caller who was admitted before the tenant moved, and has them try again', async () => {
    await refused(write(contextAt({ placementEpoch: 2 })), {
      ...{ reason: 'STALE', retryAfterMs: 100 },
      message: 'The tenant has moved since this call began. Repeat the call.',
    })
    expect(rig.readmitted).toEqual([])
  })

  test('refuses a tenant that is not there, that is purged, or that is deleted', async () => {
    const set = (state: string) => rig.run('UPDATE tenant_heads SET state = ? WHERE tenant_id = ?', [state, acme])
    await refused(write(contextAt({ tenantId: stage as never })), { reason: 'NOT_FOUND' })
    await set('PURGED')
    for (const onDeletedTenant of [false, true])
      await refused(write(here, { onDeletedTenant }), { reason: 'NOT_FOUND' })
    await set('DELETED')
    await refused(write(here), {
      ...{ reason: 'INVALID_STATE', message: 'The tenant is deleted. Undelete it first.' },
      metadata: { state: 'DELETED' },
    })
    await refused(write(here, { onDeletedTenant: false }), { reason: 'INVALID_STATE' })
    const { ran, written } = write(here, { onDeletedTenant: true })
    await written
    expect(ran).toHaveBeenCalledOnce()
    await set('SUSPENDED')
    await write(here).written
  })

  test('is not begun for a caller who has gone', async () => {
    const gone = AbortSignal.abort(new Error('gone'))
    rig.statements.length = 0
    await refused(write(here, { signal: gone }), { message: 'gone' })
    expect(rig.statements).toEqual([])
  })
})
