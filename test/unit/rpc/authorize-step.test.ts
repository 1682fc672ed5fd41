import { expect, test } from 'vitest'
import { notFound, permissionMissing } from '../../../src/base/errors.ts'
import { TenantService } from '../../../src/gen/tenure/v1/tenant_service_pb.ts'
import { CallState } from '../../../src/rpc/call-state.ts'
import { compileMethodPolicy } from '../../../src/rpc/method-policy.ts'
import { authorizeStep } from '../../../src/rpc/steps/authorize.ts'
import type { StepMethod, StepParts } from '../../../src/rpc/steps/step.ts'
import { authenticator } from '../../parity/small-server.ts'

test('a platform method tells a tenant credential the same whatever tenant it names, before that tenant is looked at', async () => {
  const policy = compileMethodPolicy(TenantService.method.suspendTenant, new Set(['tenants.suspend']))
  const asked: string[] = []
  const gate = {
    admit: (_caller: unknown, place: { tenant: string }) => {
      asked.push(place.tenant)
      throw notFound()
    },
    admitPlatform: (_caller: unknown, permission: string) => {
      throw permissionMissing(permission)
    },
  }
  const step = authorizeStep({ gate } as unknown as StepParts, { policy } as StepMethod)
  for (const tenant of ['acme', 'other', 'nowhere']) {
    const state = new CallState(policy.name, policy.auditEvent, {} as never, 0)
    state.caller = await authenticator.authenticate('Bearer admin')
    state.place = { tenant, workspace: '' }
    expect(() => step?.(state)).toThrow(permissionMissing('tenants.suspend'))
  }
  expect(asked).toEqual([])
})
