import {
  clone,
  create,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  setExtension,
} from '@bufbuild/protobuf'
import { MethodDescriptorProtoSchema, MethodOptionsSchema } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from 'vitest'
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts'
import {
  MethodPolicy_LimitClass as LimitClass,
  MethodPolicySchema,
  method_policy,
  MethodPolicy_Scope as Scope,
} from '../../../src/gen/tenure/v1/method_policy_pb.ts'
import { WorkspaceService } from '../../../src/gen/tenure/v1/workspace_service_pb.ts'
import { compileMethodPolicy, compilePolicies } from '../../../src/rpc/method-policy.ts'
import { tenureServices } from '../../../src/rpc/services.ts'

type PolicyInit = MessageInitShape<typeof MethodPolicySchema> & { $typeName?: never }

const known = new Set(['workspaces.create'])
const good: PolicyInit = {
  scopes: [Scope.PLATFORM, Scope.TENANT],
  tenantFrom: { from: { case: 'field', value: 'parent' } },
  permission: 'workspaces.create',
  limitClass: LimitClass.WRITE,
  auditEvent: 'workspaces.create',
}

function method(policy: PolicyInit | undefined): DescMethod {
  const desc: DescMethod = WorkspaceService.method.createWorkspace
  const options = create(MethodOptionsSchema)
  if (policy !== undefined) setExtension(options, method_policy, create(MethodPolicySchema, policy))
  return { ...desc, proto: { ...clone(MethodDescriptorProtoSchema, desc.proto), options } }
}

describe('a server does not start with a method whose policy', () => {
  test.each<[string, PolicyInit | undefined, RegExp]>([
    ['is missing', undefined, /CreateWorkspace has no method policy/],
    ['has no scope', { ...good, scopes: [] }, /no scope/],
    ['has an unspecified scope', { ...good, scopes: [Scope.UNSPECIFIED] }, /unknown scope/],
    ['has no limit class', { ...good, limitClass: LimitClass.UNSPECIFIED }, /no limit class/],
    [
      'names an unknown permission',
      { ...good, permission: 'workspaces.explode' },
      /unknown permission workspaces.explode/,
    ],
    ['names no permission', { ...good, permission: '' }, /names no permission/],
    ['does not say where the tenant is', { ...good, tenantFrom: {} }, /does not say where its tenant comes from/],
    [
      'acts in a tenant but takes it from nowhere',
      { ...good, tenantFrom: { from: { case: 'none', value: true } } },
      /does not say where the tenant comes from/,
    ],
    [
      'names a field that is not there',
      { ...good, tenantFrom: { from: { case: 'field', value: 'workspace.nome' } } },
      /does not have/,
    ],
    [
      'names a field that is not a string',
      { ...good, tenantFrom: { from: { case: 'field', value: 'validate_only' } } },
      /not a string/,
    ],
    ['names a message', { ...good, tenantFrom: { from: { case: 'field', value: 'workspace' } } }, /not a string/],
    ['is public and more', { ...good, scopes: [Scope.PUBLIC, Scope.TENANT] }, /public/],
    ['is about the caller and has a permission', { ...good, scopes: [Scope.CALLER] }, /caller alone/],
    [
      'is open to callers without a name but has no name',
      { ...good, scopes: [Scope.CALLER, Scope.PLATFORM], tenantFrom: { from: { case: 'none', value: true } } },
      /has no name/,
    ],
    ['writes unaudited', { ...good, auditEvent: '' }, /no audit event/],
  ])('%s', (_name, policy, message) => {
    expect(() => compileMethodPolicy(method(policy), known)).toThrow(message)
  })

  test('lists a service twice', () => {
    expect(() => compilePolicies([Health, Health] as DescService[], known)).toThrow(/listed twice/)
  })
})

test('every method of the public API has a policy that compiles', () => {
  const everyPermission = { has: () => true } as unknown as ReadonlySet<string>
  const policies = compilePolicies([...tenureServices, Health], everyPermission)
  expect(policies.size).toBe([...tenureServices, Health].reduce((sum, service) => sum + service.methods.length, 0))
  expect(policies.get('tenure.v1.WorkspaceService/UpdateWorkspace')?.tenantFrom).toMatchObject({
    path: 'workspace.name',
  })
  expect(policies.get('grpc.health.v1.Health/Check')?.scopes).toEqual(new Set(['PUBLIC']))
})
