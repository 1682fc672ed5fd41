import type { Chance } from './crash-chance.ts'
import {
  etagOfThing,
  freeThings,
  membershipsOf,
  newThing,
  type PlannedWrite,
  type Realm,
  type Thing,
  type ThingKind,
  type World,
  type WriteRequest,
} from './crash-model.ts'

type Action = WriteRequest['action']

/** How often each is drawn. What is made and what is deleted are about as many, so that lists stay short. */
const draws: readonly (readonly [Action, ThingKind, number])[] = [
  ['create', 'user', 30],
  ['update', 'user', 40],
  ['delete', 'user', 15],
  ['create', 'membership', 40],
  ['update', 'membership', 40],
  ['delete', 'membership', 20],
  ['create', 'workspace', 8],
  ['update', 'workspace', 16],
  ['delete', 'workspace', 5],
  ['create', 'role', 8],
  ['update', 'role', 16],
  ['delete', 'role', 5],
  ['update', 'tenant', 10],
  ['create', 'tenant', 9],
  ['create', 'permission', 7],
]
const deck = draws.flatMap(([action, kind, weight]) => Array.from({ length: weight }, () => ({ action, kind })))

/** Memberships lie in these, and nothing else happens to them. */
export const memberWorkspaces = ['prod', 'test'] as const
/** The roles a membership may have: the first allows `orders.read`. */
export const memberRoles = ['reader', 'writer'] as const
/** Of each tenant, one for each server: written to alone, to see that the server can write again. */
export const probeUsers = ['probe-1', 'probe-2'] as const

/** Draws the writes of one trial; none depends on another but rivals do. */
export class TrialPlan {
  readonly writes: PlannedWrite[] = []
  readonly #world: World
  readonly #chance: Chance
  readonly #trial: number
  #count = 0

  constructor(world: World, chance: Chance, trial: number) {
    this.#world = world
    this.#chance = chance
    this.#trial = trial
  }

  draw(count: number): void {
    while (this.writes.length < count) this.#drawOne()
  }

  /** A write that the server of this number has to do, whatever was before. */
  probe(number: number): PlannedWrite {
    const realm = this.#chance.pick(this.#world.tenants)
    const thing = realm.things.find(({ slug }) => slug === probeUsers[number])
    if (thing === undefined) throw new Error(`there is no ${probeUsers[number]}`)
    const request: WriteRequest = { action: 'update', thing, text: this.#next(), etag: '' }
    return this.#write(realm, request, [thing], { withId: true })
  }

  /** A write to each tenant itself: whatever a fault kept from its projection in the directory goes there with it. */
  touchTenants(): void {
    for (const realm of this.#world.tenants) {
      for (const thing of freeThings(realm, 'tenant')) {
        this.#add(realm, { action: 'update', thing, text: this.#next(), etag: '' }, [thing], { withId: true })
      }
    }
  }

  #drawOne(): void {
    const { action, kind } = this.#chance.pick(deck)
    const platform = action === 'create' && (kind === 'tenant' || kind === 'permission')
    const realm = platform ? this.#world.directory : this.#chance.pick(this.#world.tenants)
    if (action === 'create') this.#create(realm, kind)
    else this.#change(realm, kind, action)
  }

  #create(realm: Realm, kind: ThingKind): void {
    const id = this.#next()
    // A tenant that was made in one place only is finished by the call's repetition, so it has to be repeatable.
    const withId = kind === 'tenant' || this.#chance.isTrue(0.75)
    if (kind === 'membership') {
      const workspace = this.#chance.pick(memberWorkspaces)
      const users = freeThings(realm, 'user').filter(
        (user) => !isProbe(user) && membershipsOf(realm, user).every((each) => each.workspace !== workspace),
      )
      if (users.length === 0) return
      const user = this.#chance.pick(users)
      const thing = newThing(realm, kind, `m-${id}`, workspace, user)
      const text = this.#chance.pick(memberRoles)
      user.busy = true
      this.#add(realm, { action: 'create', thing, text }, [thing, user], { withId })
      return
    }
    const taken = this.#chance.isTrue(0.05) ? freeThings(realm, kind)[0] : undefined
    if (taken !== undefined) {
      const again = newThing(realm, kind, taken.slug)
      taken.busy = true
      this.#add(realm, { action: 'create', thing: again, text: id }, [taken], { withId, refusal: 'ALREADY_EXISTS' })
      return
    }
    const thing = newThing(realm, kind, kind === 'permission' ? `crash.x${id.replace('-', 'x')}` : `${kind[0]}-${id}`)
    this.#add(realm, { action: 'create', thing, text: id }, [thing], { withId })
  }

  #change(realm: Realm, kind: ThingKind, action: 'update' | 'delete'): void {
    const things = freeThings(realm, kind).filter(
      (thing) =>
        !isProbe(thing) &&
        (kind !== 'user' || membershipsOf(realm, thing).every((each) => !each.busy && !each.uncertain)),
    )
    if (things.length === 0) return
    const thing = this.#chance.pick(things)
    const withId = kind === 'tenant' || this.#chance.isTrue(0.7)
    const along = action === 'delete' && kind === 'user' ? membershipsOf(realm, thing) : []
    const touches = [thing, ...along]
    for (const each of touches) each.busy = true
    const etag = etagOfThing(thing)
    if (this.#chance.isTrue(0.08)) {
      const stale = etagOfThing({ ...thing, version: thing.version + 7 })
      this.#add(realm, this.#changeOf(thing, action, stale), touches, { withId, refusal: 'ETAG_MISMATCH' })
      return
    }
    if (action === 'update' && this.#chance.isTrue(0.1)) {
      const one = this.#add(realm, this.#changeOf(thing, action, etag), touches, { withId: true })
      const other = this.#add(realm, this.#changeOf(thing, action, etag), touches, { withId: true })
      one.rival = other
      other.rival = one
      return
    }
    // Without a check of the state a second run would go unnoticed by the server.
    const unchecked = action === 'update' && this.#chance.isTrue(withId ? 0.2 : 0.5)
    this.#add(realm, this.#changeOf(thing, action, unchecked ? '' : etag), touches, { withId })
  }

  #changeOf(thing: Thing, action: 'update' | 'delete', etag: string): WriteRequest {
    if (action === 'delete') return { action, thing, etag }
    const text = thing.kind === 'membership' ? this.#chance.pick(memberRoles) : this.#next()
    return { action, thing, text, etag }
  }

  #add(realm: Realm, request: WriteRequest, touches: readonly Thing[], how: How): PlannedWrite {
    const write = this.#write(realm, request, touches, how)
    this.writes.push(write)
    return write
  }

  #write(realm: Realm, request: WriteRequest, touches: readonly Thing[], { withId, refusal }: How): PlannedWrite {
    const { thing, action } = request
    for (const each of touches) each.busy = true
    return {
      ...{ realm, request, touches, refusal, rival: undefined },
      event: `${thing.kind}s.${action}`,
      target: thing.name,
      requestId: withId ? `t${this.#next()}` : '',
      key: thing.kind === 'tenant' ? (realm.keys[0] ?? '') : this.#chance.pick(realm.keys),
      copies: withId && this.#chance.isTrue(0.12) ? 2 : 1,
      takeEffect: () => takeEffect(realm, request, touches),
    }
  }

  /** A name nothing else of this run has. */
  #next(): string {
    this.#count += 1
    return `${this.#trial}-${this.#count}`
  }
}

interface How {
  readonly withId: boolean
  readonly refusal?: string
}

function isProbe({ slug }: Thing): boolean {
  return slug.startsWith('probe-')
}

function takeEffect(realm: Realm, request: WriteRequest, touches: readonly Thing[]): void {
  const { thing } = request
  const changedAtMs = performance.now()
  for (const each of request.action === 'delete' ? touches : [thing]) {
    each.changedAtMs = changedAtMs
    each.version += 1
    each.exists = request.action !== 'delete'
    if (request.action !== 'delete') each.text = request.text
  }
  if (request.action === 'create') realm.things.push(thing)
}
