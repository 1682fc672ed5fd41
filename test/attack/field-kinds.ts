import { ScalarType } from '@bufbuild/protobuf'
import { shapesOf } from './name-shapes.ts'
import type { RequestField } from './request-fields.ts'

/**
 * What a field that takes free text or bytes points at. `name`: a resource, by a pattern. The others that can point at
 * something of a tenant have values of the other tenant's in foreign-tokens.ts; `word` is of a list the platform keeps,
 * `text` is stored or compared and never looked up, `made` is written by the server alone and ignored in a request.
 */
export type FieldKind =
  | 'name'
  | 'pageToken'
  | 'revision'
  | 'etag'
  | 'requestId'
  | 'apiKey'
  | 'person'
  | 'email'
  | 'newId'
  | 'chain'
  | 'uid'
  | 'query'
  | 'word'
  | 'text'
  | 'made'

/** By the end of the path. A field of a new method that is none of these is to be added here. */
const kindOfField: Readonly<Record<string, FieldKind>> = {
  page_token: 'pageToken',
  at_least_revision: 'revision',
  etag: 'etag',
  request_id: 'requestId',
  api_key: 'apiKey',
  subject: 'person',
  issuer: 'text',
  email: 'email',
  tenant_id: 'newId',
  workspace_id: 'newId',
  user_id: 'newId',
  service_account_id: 'newId',
  membership_id: 'newId',
  role_id: 'newId',
  secret_id: 'newId',
  permission_id: 'newId',
  chain: 'chain',
  uid: 'uid',
  tenant_uid: 'uid',
  workspace_uid: 'uid',
  source: 'text',
  statement: 'text',
  filter: 'query',
  order_by: 'query',
  update_mask: 'query',
  permission: 'word',
  permissions: 'word',
  plan: 'word',
  tier: 'word',
  region: 'word',
  cell: 'word',
  service: 'word',
  expected_latest: 'word',
  display_name: 'text',
  description: 'text',
  reason: 'text',
  resource: 'text',
  correlation_id: 'text',
  audience: 'text',
  labels: 'text',
  payload: 'text',
  hash: 'text',
  prefix: 'made',
}

/** A field that by its name names a resource must say what names look like, or nothing here could reach it. */
const namesResource =
  /^(?:names?|parents?|resource_names?|tenants?|workspaces?|users?|members?|service_accounts?|groups?|roles?|secrets?|operations?)$/

/** Undefined: nobody has said what it points at. */
export function kindOf(field: RequestField): FieldKind | undefined {
  if (field.nameShapes.length > 0) return 'name'
  const last = field.path.split('.').at(-1) ?? ''
  if (!namesResource.test(last)) return kindOfField[last]
  const takesNothing = field.pattern !== '' && shapesOf(field.pattern).every((shape) => shape === '')
  return takesNothing ? 'text' : undefined
}

/** Numbers, flags, times and enums point at nothing; messages are their fields. */
export function canPoint({ desc, kind }: RequestField): boolean {
  if (kind === 'string' || desc.fieldKind === 'map') return true
  if (desc.fieldKind === 'scalar') return desc.scalar === ScalarType.BYTES
  if (desc.fieldKind === 'list') return desc.listKind === 'scalar' && desc.scalar === ScalarType.BYTES
  return (
    desc.fieldKind === 'message' && /^google\.protobuf\.(?:FieldMask|Struct|Any|Value)$/.test(desc.message.typeName)
  )
}
