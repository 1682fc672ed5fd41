import { describe, expect, test } from 'vitest'
import { type TenantId, tenantLevel } from '../../../src/base/ids.ts'
import { isJobContext, jobContext } from '../../../src/tenancy/job-context.ts'
import {
  issuePlatformCapabilities,
  platformBindingOf,
  platformTables,
} from '../../../src/tenancy/platform-capability.ts'
import { readerContext } from '../../../src/tenancy/reader-context.ts'
import { acme, contextAt, prod } from './scope-rig.ts'

const { operations, diagnostics, ...others } = issuePlatformCapabilities()
const { actor } = contextAt()
const head = { region: 'eu-1', tier: 'standard', placementEpoch: 3, revision: 9 }
const place = { tenantId: acme, tenantSlug: 'acme', actor }

describe('a capability of the platform', () => {
  test('is handed out for every purpose there is, and leads to the tables of that purpose', () => {
    expect(Object.keys({ operations, diagnostics, ...others }).sort()).toEqual(Object.keys(platformTables).sort())
    expect(platformBindingOf(operations)).toEqual({ kind: 'platform', purpose: 'operations' })
    for (const [purpose, capability] of Object.entries(others)) {
      expect(platformBindingOf(capability)).toEqual({ kind: 'platform', purpose })
    }
  })

  test('cannot be made by hand, copied, or turned into that of another purpose', () => {
    for (const forged of [{ purpose: 'operations' } as const, { ...operations }]) {
      expect(() => platformBindingOf(forged)).toThrow('this is not a platform capability that was handed out')
    }
    expect(() => Object.assign(diagnostics, { purpose: 'operations' })).toThrow(TypeError)
    const all = issuePlatformCapabilities()
    expect(() => Object.assign(all, { operations: all.diagnostics })).toThrow(TypeError)
  })
})

describe('the context of a job', () => {
  test('is of the tenant itself, or of the workspace that is named, and cannot be changed', () => {
    const ofTenant = jobContext(operations, place, head)
    expect(ofTenant).toEqual({
      ...{ tenantId: acme, tenantSlug: 'acme', workspaceId: tenantLevel, workspaceSlug: '', actor },
      ...head,
    })
    const workspace = { workspaceId: prod, slug: 'prod' }
    expect(jobContext(operations, { ...place, workspace }, head)).toEqual({
      ...{ ...ofTenant, workspaceId: prod, workspaceSlug: 'prod' },
    })
    expect(() => Object.assign(ofTenant, { tenantId: 'another' })).toThrow(TypeError)
  })

  test('is made with the capability alone, and of a tenant that is there', () => {
    expect(() => jobContext({ purpose: 'operations' }, place, head)).toThrow(/capability/)
    expect(() => jobContext(operations, place, undefined)).toThrow(expect.objectContaining({ reason: 'NOT_FOUND' }))
  })

  test('is told from every other, its copy too', () => {
    const context = jobContext(operations, place, head)
    expect(isJobContext(context)).toBe(true)
    expect(isJobContext({ ...context })).toBe(false)
    expect(isJobContext(contextAt())).toBe(false)
  })
})

test('the context of a look by the server itself is of the tenant, of no workspace and of nobody', () => {
  expect(readerContext(acme)).toEqual({
    ...{ tenantId: acme as TenantId, tenantSlug: '', workspaceId: tenantLevel, workspaceSlug: '' },
    ...{ region: '', tier: '', placementEpoch: 0, revision: 0 },
    actor: { principal: '', credential: '', requestId: '', clientIp: '' },
  })
})
