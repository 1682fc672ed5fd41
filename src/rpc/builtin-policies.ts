import type { DescMethod } from '@bufbuild/protobuf'
import type { LimitClass, Scope } from './method-policy.ts'

/** What a string field of somebody else's message must look like: their protos cannot carry our rules. */
export interface BuiltinRule {
  readonly pattern: RegExp
  readonly maxBytes: number
  /** In words. */
  readonly description: string
}

/** The facts of a method that is defined elsewhere: what its proto would say if it could carry our option. */
export interface BuiltinPolicy {
  readonly scopes: readonly Scope[]
  /** Path of the request field whose resource name begins with the tenant; empty: it acts in none. */
  readonly tenantFrom: string
  readonly permission: string
  readonly limitClass: LimitClass
  readonly auditEvent: string
  readonly rules: Readonly<Record<string, BuiltinRule>>
}

const publicMethod: BuiltinPolicy = {
  scopes: ['PUBLIC'],
  ...{ tenantFrom: '', permission: '', limitClass: 'READ', auditEvent: '', rules: {} },
}

const slug = '[a-z][a-z0-9-]{1,61}[a-z0-9]'
const uuid = '[0-9a-f-]{36}'
const operationName: BuiltinRule = {
  pattern: new RegExp(`^(tenants/${slug}/)?operations/${uuid}$`),
  maxBytes: 300,
  description: 'must look like [tenants/{tenant}/]operations/{uuid}',
}
const operationParent: BuiltinRule = {
  pattern: new RegExp(`^(tenants/${slug})?$`),
  maxBytes: 300,
  description: 'must look like tenants/{tenant}, or be empty for the platform',
}
const anyText = (maxBytes: number): BuiltinRule => ({
  pattern: /^/,
  maxBytes,
  description: `has at most ${maxBytes} bytes`,
})

function operations(permission: string, rest: Partial<BuiltinPolicy>): BuiltinPolicy {
  return {
    scopes: ['PLATFORM', 'TENANT'],
    ...{ tenantFrom: 'name', permission, limitClass: 'READ', auditEvent: '' },
    rules: { name: operationName },
    ...rest,
  }
}

/** Standard services defined elsewhere: one checked table, method by method. */
export const builtinPolicies: ReadonlyMap<string, BuiltinPolicy> = new Map([
  ['grpc.health.v1.Health/Check', publicMethod],
  ['grpc.health.v1.Health/List', publicMethod],
  ['grpc.health.v1.Health/Watch', publicMethod],
  ['grpc.reflection.v1.ServerReflection/ServerReflectionInfo', publicMethod],
  ['grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', publicMethod],
  [
    'google.longrunning.Operations/ListOperations',
    operations('operations.list', {
      auditEvent: 'operations.list',
      rules: { name: operationParent, filter: anyText(2048), page_token: anyText(4096) },
    }),
  ],
  // Asked again and again while an operation runs: a look is not worth an event each.
  ['google.longrunning.Operations/GetOperation', operations('operations.get', {})],
  ['google.longrunning.Operations/WaitOperation', operations('operations.get', {})],
  [
    'google.longrunning.Operations/CancelOperation',
    operations('operations.cancel', { limitClass: 'WRITE', auditEvent: 'operations.cancel' }),
  ],
  [
    'google.longrunning.Operations/DeleteOperation',
    operations('operations.delete', { limitClass: 'WRITE', auditEvent: 'operations.delete' }),
  ],
])

export function fullMethodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`
}
