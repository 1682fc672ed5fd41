import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  ScalarType,
} from '@bufbuild/protobuf'
import {
  MethodPolicy_LimitClass,
  MethodPolicy_Scope,
  type MethodPolicy as MethodPolicyMessage,
  method_policy,
} from '../gen/tenure/v1/method_policy_pb.ts'
import { type BuiltinPolicy, builtinPolicies, fullMethodName } from './builtin-policies.ts'

export type Scope = 'PUBLIC' | 'CALLER' | 'PLATFORM' | 'TENANT' | 'WORKSPACE'
export type LimitClass = 'CHECK' | 'READ' | 'WRITE'

/** Where the pipeline finds the place of a call. */
export type TenantSource =
  | { readonly kind: 'field'; readonly path: string; readonly fields: readonly DescField[] }
  | { readonly kind: 'credential' }
  | { readonly kind: 'none' }

/** What the pipeline must know about a method before it runs. */
export interface MethodPolicy {
  readonly method: DescMethod
  /** Full name, e.g. `tenure.v1.TenantService/CreateTenant`. */
  readonly name: string
  readonly scopes: ReadonlySet<Scope>
  readonly tenantFrom: TenantSource
  /** Bare; empty: none. */
  readonly permission: string
  readonly limitClass: LimitClass
  /** Empty: not audited. */
  readonly auditEvent: string
  /** The event is durable before the answer leaves. */
  readonly auditBeforeAnswer: boolean
  /** Of fields of a message that is defined elsewhere; ours carry theirs. */
  readonly rules: BuiltinPolicy['rules']
}

const scopeOf: Readonly<Partial<Record<MethodPolicy_Scope, Scope>>> = {
  [MethodPolicy_Scope.PUBLIC]: 'PUBLIC',
  [MethodPolicy_Scope.CALLER]: 'CALLER',
  [MethodPolicy_Scope.PLATFORM]: 'PLATFORM',
  [MethodPolicy_Scope.TENANT]: 'TENANT',
  [MethodPolicy_Scope.WORKSPACE]: 'WORKSPACE',
}

const limitClassOf: Readonly<Partial<Record<MethodPolicy_LimitClass, LimitClass>>> = {
  [MethodPolicy_LimitClass.CHECK]: 'CHECK',
  [MethodPolicy_LimitClass.READ]: 'READ',
  [MethodPolicy_LimitClass.WRITE]: 'WRITE',
}

/**
 * Compiles the policy of every method, by full name. Throws on the first that lacks one or contradicts itself: a server
 * that does not know who may call a method does not start.
 */
export function compilePolicies(
  services: readonly DescService[],
  permissions: ReadonlySet<string>,
): ReadonlyMap<string, MethodPolicy> {
  const policies = new Map<string, MethodPolicy>()
  for (const service of services) {
    for (const method of service.methods) {
      const name = fullMethodName(method)
      if (policies.has(name)) throw new Error(`${name} is listed twice`)
      policies.set(name, compileMethodPolicy(method, permissions))
    }
  }
  return policies
}

export function compileMethodPolicy(method: DescMethod, permissions: ReadonlySet<string>): MethodPolicy {
  const name = fullMethodName(method)
  const builtin = builtinPolicies.get(name)
  const policy = builtin === undefined ? declaredPolicy(method, name) : builtinPolicy(method, name, builtin)
  checkPolicy(policy, permissions)
  return policy
}

function declaredPolicy(method: DescMethod, name: string): MethodPolicy {
  if (!hasOption(method, method_policy)) throw new Error(`${name} has no method policy`)
  const declared = getOption(method, method_policy)
  return {
    method,
    name,
    scopes: scopesOf(name, declared),
    tenantFrom: tenantSourceOf(method, name, declared),
    permission: declared.permission,
    limitClass: limitClassOf[declared.limitClass] ?? refuse(name, 'has no limit class'),
    auditEvent: declared.auditEvent,
    auditBeforeAnswer: declared.auditBeforeAnswer,
    rules: {},
  }
}

function builtinPolicy(method: DescMethod, name: string, builtin: BuiltinPolicy): MethodPolicy {
  const { permission, limitClass, auditEvent, rules, tenantFrom: path } = builtin
  const tenantFrom: TenantSource =
    path === '' ? { kind: 'none' } : { kind: 'field', path, fields: fieldsOf(method, name, path) }
  for (const field of Object.keys(rules)) fieldsOf(method, name, field)
  const scopes = new Set(builtin.scopes)
  return { method, name, scopes, tenantFrom, permission, limitClass, auditEvent, auditBeforeAnswer: false, rules }
}

function scopesOf(name: string, declared: MethodPolicyMessage): ReadonlySet<Scope> {
  const scopes = new Set<Scope>()
  for (const scope of declared.scopes) scopes.add(scopeOf[scope] ?? refuse(name, `has the unknown scope ${scope}`))
  if (scopes.size === 0) refuse(name, 'has no scope')
  return scopes
}

function checkPolicy(policy: MethodPolicy, permissions: ReadonlySet<string>): void {
  const { name, scopes, tenantFrom, permission } = policy
  if (scopes.has('PUBLIC') && (scopes.size > 1 || permission !== '' || tenantFrom.kind !== 'none')) {
    refuse(name, 'is public and cannot have another scope, a permission or a tenant')
  }
  if (scopes.has('CALLER') && scopes.size === 1 && permission !== '') {
    refuse(name, 'is about the caller alone and cannot have a permission')
  }
  // Beside other scopes it means "where the name is empty": without a name nothing would tell the two apart.
  if (scopes.has('CALLER') && scopes.size > 1 && tenantFrom.kind !== 'field') {
    refuse(name, 'is open to every caller where its name is empty, but has no name')
  }
  if ((scopes.has('TENANT') || scopes.has('WORKSPACE')) && tenantFrom.kind === 'none') {
    refuse(name, 'acts in a tenant but does not say where the tenant comes from')
  }
  if (scopes.has('PLATFORM') && tenantFrom.kind === 'credential') {
    refuse(name, 'acts on the platform and cannot take its tenant from the credential')
  }
  if (permission !== '' && !permissions.has(permission)) refuse(name, `names the unknown permission ${permission}`)
  if (permission === '' && !scopes.has('PUBLIC') && !scopes.has('CALLER')) refuse(name, 'names no permission')
  checkAudit(policy)
}

function checkAudit({ method, name, limitClass, auditEvent, auditBeforeAnswer }: MethodPolicy): void {
  if (limitClass === 'WRITE' && auditEvent === '') refuse(name, 'writes but has no audit event')
  if (auditBeforeAnswer && (limitClass === 'WRITE' || auditEvent === '')) {
    refuse(name, 'is to be audited before its answer, and has no event or is audited in its transaction')
  }
  // Who was given a secret is known before the secret is out.
  if (limitClass !== 'WRITE' && !auditBeforeAnswer && hasSecret(method.output)) {
    refuse(name, 'answers a secret that is not audited before')
  }
}

function hasSecret(message: DescMessage, seen: ReadonlySet<DescMessage> = new Set()): boolean {
  if (seen.has(message)) return false
  const within = new Set([...seen, message])
  return message.fields.some(
    (field) =>
      field.proto.options?.debugRedact === true || (field.message !== undefined && hasSecret(field.message, within)),
  )
}

function tenantSourceOf(method: DescMethod, name: string, declared: MethodPolicyMessage): TenantSource {
  const from = declared.tenantFrom?.from
  if (from?.case === 'field') return { kind: 'field', path: from.value, fields: fieldsOf(method, name, from.value) }
  if (from?.case === 'credential' && from.value) return { kind: 'credential' }
  if (from?.case === 'none' && from.value) return { kind: 'none' }
  return refuse(name, 'does not say where its tenant comes from')
}

function fieldsOf(method: DescMethod, name: string, path: string): readonly DescField[] {
  const fields: DescField[] = []
  const segments = path.split('.')
  let message = method.input
  for (const [index, segment] of segments.entries()) {
    const field = message.fields.find((candidate) => candidate.name === segment)
    if (field === undefined || field.oneof !== undefined) {
      return refuse(name, `takes its tenant from ${path}, which ${message.typeName} does not have`)
    }
    fields.push(field)
    const last = index === segments.length - 1
    if (last && field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING) return fields
    if (last || field.fieldKind !== 'message')
      return refuse(name, `takes its tenant from ${path}, which is not a string`)
    message = field.message
  }
  return refuse(name, `takes its tenant from ${path}, which is not a string`)
}

function refuse(name: string, what: string): never {
  throw new Error(`${name} ${what}`)
}
