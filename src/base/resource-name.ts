import { canarySlugs } from './canaries.ts'

/** The place a resource name lies in: the platform, a tenant, or a workspace of a tenant. */
export interface Place {
  /** Slug; empty for the platform. */
  readonly tenant: string
  /** Slug; empty at tenant level. */
  readonly workspace: string
}

export const platformPlace: Place = { tenant: '', workspace: '' }

/** A resource name taken apart: where it lies, of which collection it is, and its id there. */
export interface ResourceName extends Place {
  /** `tenants`, `workspaces`, `users`, …; empty when the name is empty (the platform itself). */
  readonly collection: string
  readonly id: string
  /** Of what belongs to a resource: `versions/3` of a secret. Empty where the name is the resource's own. */
  readonly part: string
}

/** What belongs to a resource and has a name below its name. */
const partsOf: Readonly<Record<string, string>> = { secrets: 'versions' }

/**
 * Takes a name apart that field rules have already found well-formed. A tenant's own name lies in that tenant, a
 * workspace's own name in that workspace. Undefined when the segments do not pair up.
 */
export function parseName(name: string): ResourceName | undefined {
  if (name === '') return { ...platformPlace, collection: '', id: '', part: '' }
  const segments = name.split('/')
  if (segments.length % 2 !== 0 || segments.length > 8) return undefined
  let tenant = ''
  let workspace = ''
  let at = 0
  if (segments[0] === 'tenants') {
    tenant = segments[1] ?? ''
    at = 2
    if (segments[2] === 'workspaces') {
      workspace = segments[3] ?? ''
      at = 4
    }
  }
  const collection = segments[at] ?? (workspace === '' ? 'tenants' : 'workspaces')
  const id = segments[at + 1] ?? (workspace === '' ? tenant : workspace)
  const [partCollection, part = ''] = segments.slice(at + 2)
  if (segments.length > at + 4 || (partCollection !== undefined && partCollection !== partsOf[collection]))
    return undefined
  return { tenant, workspace, collection, id, part }
}

/** What tells a resource from its siblings. */
export function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

export function placeName(place: Place): string {
  if (place.tenant === '') return ''
  return place.workspace === '' ? `tenants/${place.tenant}` : `tenants/${place.tenant}/workspaces/${place.workspace}`
}

export function nameIn(place: Place, collection: string, id: string): string {
  const parent = placeName(place)
  return parent === '' ? `${collection}/${id}` : `${parent}/${collection}/${id}`
}

/** The name of a user or of a service account. */
export function principalNameIn(
  place: Place,
  principal: { readonly kind: 'user' | 'service_account'; readonly slug: string },
): string {
  return nameIn(place, principal.kind === 'user' ? 'users' : 'serviceAccounts', principal.slug)
}

/** Words that would read as something else in a path, a log or a URL. docs/architecture.md lists them. */
export const reservedSlugs: ReadonlySet<string> = new Set([
  'admin',
  'api',
  'console',
  'internal',
  'localhost',
  'null',
  'platform',
  'root',
  'self',
  'system',
  ...canarySlugs,
  'tenure',
  'undefined',
  'www',
])
