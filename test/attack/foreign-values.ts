import type { RequestField } from './request-fields.ts'
import type { NamesByShape } from './request-maker.ts'

/** A name that stands beside one of the same form that never did: no answer may tell the two apart. */
export interface ForeignPair {
  readonly case: string
  readonly existing: string
  readonly unknown: string
}

export interface TwoTenants {
  readonly own: NamesByShape
  readonly foreign: NamesByShape
}

/** Foreign names in spellings that no rule takes, beside the same spellings of what never was. */
export function malformedPairs(field: RequestField, { own, foreign }: TwoTenants): ForeignPair[] {
  const expression = new RegExp(field.pattern)
  const shape = field.nameShapes.find((each) => each.startsWith('tenants/'))
  const existing = (foreign.get(shape ?? '') ?? []).find((name) => expression.test(name))
  if (existing === undefined) return []
  const unknown = inTenant(existing, neverSlug) ?? `tenants/${neverSlug}`
  const spellings: Readonly<Record<string, (name: string) => string>> = {
    'climbing out of ours': (name) => name.replace(/^tenants\//, `tenants/${ownSlug(own)}/../`),
    'a NUL': (name) => `${name}\0`,
    capitals: (name) => name.replace(/^tenants\/(.)/, (_, first: string) => `tenants/${first.toUpperCase()}`),
    'a line end': (name) => `${name}\n`,
    'an escaped slash': (name) => name.replace('/', '%2F'),
  }
  return Object.entries(spellings)
    .map(([kind, spell]) => ({ case: `malformed: ${kind}`, existing: spell(existing), unknown: spell(unknown) }))
    .filter((pair) => !expression.test(pair.existing))
}

/** What a credential of one workspace may not know of its own tenant: what lies beside it, and above. */
export function siblingPairs(field: RequestField, own: NamesByShape, place: string): ForeignPair[] {
  const expression = new RegExp(field.pattern)
  const pairs: ForeignPair[] = []
  for (const shape of field.nameShapes.filter((each) => each.startsWith('tenants/'))) {
    const others = (own.get(shape) ?? []).filter((name) => expression.test(name) && !`${name}/`.startsWith(`${place}/`))
    const beside = others.find((name) => name.split('/')[2] === 'workspaces')
    const above = others.find((name) => name.split('/')[2] !== 'workspaces')
    const add = (kind: string, existing: string | undefined, unknown: string | undefined) => {
      if (existing !== undefined && unknown !== undefined) pairs.push({ case: `${kind} ${shape}`, existing, unknown })
    }
    add('beside', beside, beside?.replace(/(\/workspaces\/)[^/]+/, `$1${neverSlug}`))
    add('above', above, above === undefined ? undefined : (inTenant(above, neverSlug) ?? `tenants/${neverSlug}`))
  }
  return pairs
}

const neverSlug = 'never-was'
const neverIds = [neverSlug, '00000000-0000-7000-8000-00000000dead', 'nowhere.never', '999999']

/** Every way a field can name something of the other tenant. Empty: it cannot name anything of a tenant. */
export function foreignPairs(field: RequestField, { own, foreign }: TwoTenants): ForeignPair[] {
  const expression = new RegExp(field.pattern)
  const pairs: ForeignPair[] = []
  for (const shape of field.nameShapes.filter((each) => each.startsWith('tenants/'))) {
    const theirs = (foreign.get(shape) ?? []).filter((name) => expression.test(name))
    const ours = (own.get(shape) ?? []).filter((name) => expression.test(name))
    const existing = theirs[0]
    if (existing === undefined) throw new Error(`${field.path}: the other tenant has no ${shape}; give it one`)
    const unknown = neverNamed(existing, expression)
    const add = (name: string, value: string | undefined, beside = unknown) => {
      if (value !== undefined && expression.test(value))
        pairs.push({ case: `${name} ${shape}`, existing: value, unknown: beside })
    }
    add('existing', existing)
    add('unknown tenant', shape === 'tenants/{}' ? undefined : inTenant(existing, neverSlug))
    // A child of theirs under our parent, and a child of ours under theirs: neither is there.
    const twins = new Set(ours)
    const underUs = theirs
      .map((name) => inTenant(name, ownSlug(own)))
      .find((name) => name !== undefined && !twins.has(name) && expression.test(name))
    const nothing = underUs === undefined ? undefined : neverNamed(underUs, expression)
    add('their child under us', underUs, nothing)
    // Under us and under them: neither is there, and the words are the same.
    add('nothing under us', nothing)
    add(
      'our child under them',
      ours.map((name) => inTenant(name, ownSlug(foreign))).find((name) => name !== undefined && !theirs.includes(name)),
    )
    add(
      'our workspace under them',
      ours.map((name) => inWorkspace(name, existing)).find((name) => name !== existing),
    )
  }
  return pairs
}

function neverNamed(existing: string, expression: RegExp): string {
  const above = existing.slice(0, existing.lastIndexOf('/') + 1)
  const found = neverIds.map((id) => above + id).find((name) => expression.test(name))
  if (found === undefined) throw new Error(`no name of the form of ${existing} that never was fits ${expression}`)
  return found
}

function ownSlug(names: NamesByShape): string {
  return names.get('tenants/{}')?.[0]?.split('/')[1] ?? ''
}

function inTenant(name: string, slug: string): string | undefined {
  const [, , ...rest] = name.split('/')
  return rest.length === 0 ? undefined : ['tenants', slug, ...rest].join('/')
}

/** Our workspace and child in their tenant. */
function inWorkspace(ours: string, theirs: string): string | undefined {
  const mine = ours.split('/')
  if (mine.length < 6) return undefined
  return ['tenants', theirs.split('/')[1], ...mine.slice(2, 4), ...theirs.split('/').slice(4)].join('/')
}
