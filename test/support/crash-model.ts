import { etagOf } from '../../src/base/etag.ts'

export type ThingKind = 'user' | 'workspace' | 'role' | 'membership' | 'tenant' | 'permission'

/** A resource as it must be, by everything that was acknowledged or found in the journal. */
export interface Thing {
  readonly kind: ThingKind
  readonly slug: string
  /** Its resource name. */
  readonly name: string
  /** Slug of the workspace it lies in; empty: none. */
  readonly workspace: string
  /** Of a membership: whose it is. */
  readonly user: Thing | undefined
  /** False before it was created, and after it was deleted. */
  exists: boolean
  /** How often it was written. */
  version: number
  /** The one value that writes change: a display name, or the one role of a membership. */
  text: string
  /** Known once its row was read. */
  uid: string
  /** On the monotonic clock. */
  changedAtMs: number
  /** Nobody knows whether its last write was done, so nothing can be planned on it. */
  uncertain: boolean
  /** Under a write that is planned and not settled, or not to be written to at all. */
  busy: boolean
}

/** What one head orders: a tenant, or the directory. What happened there, as far as it was compared with the journal. */
export interface Realm {
  /** Empty: the directory. */
  readonly slug: string
  readonly id: string
  /** Keys of callers who may do everything in it. */
  readonly keys: readonly string[]
  readonly things: Thing[]
  /** Of the last row compared. */
  sequence: number
  hash: Buffer
  /** The newest consistency token that was answered. */
  revision: string
  /** Sent once, without a request id, and not answered: each may be found in the journal once, or never. */
  readonly unanswered: PlannedWrite[]
}

export interface World {
  readonly tenants: readonly Realm[]
  readonly directory: Realm
}

export interface PlannedWrite {
  readonly realm: Realm
  /** As the journal must name it. */
  readonly event: string
  readonly target: string
  /** Empty: sent once and never again. */
  readonly requestId: string
  readonly key: string
  /** How many send it at once, each to another server. */
  readonly copies: number
  /** The one reason it has to be refused for; undefined: it has to be done. */
  readonly refusal: string | undefined
  /** Another write on the same state of the same thing: one of the two has to be done, the other refused. */
  rival: PlannedWrite | undefined
  readonly request: WriteRequest
  /** What it changes, whatever else that takes along. */
  readonly touches: readonly Thing[]
  /** What has to be so once it is in the journal. */
  takeEffect(): void
}

/** A call, and nothing of who sends it where. */
export type WriteRequest =
  | { readonly action: 'create'; readonly thing: Thing; readonly text: string }
  | { readonly action: 'update'; readonly thing: Thing; readonly text: string; readonly etag: string }
  | { readonly action: 'delete'; readonly thing: Thing; readonly etag: string }

export function newThing(realm: Realm, kind: ThingKind, slug: string, workspace = '', user?: Thing): Thing {
  return {
    ...{ kind, slug, workspace, user, name: nameOf(realm, kind, slug, workspace) },
    ...{ exists: false, version: 0, text: '', uid: '', changedAtMs: 0, uncertain: false, busy: false },
  }
}

function nameOf({ slug: tenant }: Realm, kind: ThingKind, slug: string, workspace: string): string {
  if (kind === 'permission') return `permissions/${slug}`
  if (kind === 'tenant') return `tenants/${slug}`
  const place = workspace === '' ? `tenants/${tenant}` : `tenants/${tenant}/workspaces/${workspace}`
  return `${place}/${kind}s/${slug}`
}

/** As the server has to compute it from the row. */
export function etagOfThing({ uid, version }: Thing): string {
  return etagOf(uid, version)
}

/** Things that can be written to now. */
export function freeThings({ things }: Realm, kind: ThingKind): Thing[] {
  return things.filter((thing) => thing.kind === kind && thing.exists && !thing.busy && !thing.uncertain)
}

export function membershipsOf({ things }: Realm, user: Thing): Thing[] {
  return things.filter((thing) => thing.user === user && (thing.exists || thing.busy || thing.uncertain))
}
