import type { MembershipFact } from './facts.ts'

const none: readonly MembershipFact[] = []

/** The memberships of one tenant, and the places that an unreadable one has closed. */
export class MembershipIndex {
  readonly #byId = new Map<string, MembershipFact>()
  readonly #byPrincipal = new Map<string, MembershipFact[]>()
  readonly #placeOfUnreadable = new Map<string, string>()
  #closedPlaces: ReadonlySet<string> = new Set()

  ofPrincipal(principalId: string): readonly MembershipFact[] {
    return this.#byPrincipal.get(principalId) ?? none
  }

  byId(id: string): MembershipFact | undefined {
    return this.#byId.get(id)
  }

  /** What an unreadable row would have said is unknown, so nobody is let into its place until it is mended. */
  isClosed(workspaceId: string): boolean {
    return this.#closedPlaces.size !== 0 && this.#closedPlaces.has(workspaceId)
  }

  put(fact: MembershipFact): void {
    this.delete(fact.membershipId)
    this.#byId.set(fact.membershipId, fact)
    const own = this.#byPrincipal.get(fact.principalId)
    if (own === undefined) this.#byPrincipal.set(fact.principalId, [fact])
    else own.push(fact)
  }

  putUnreadable(id: string, workspaceId: string): void {
    this.delete(id)
    this.#placeOfUnreadable.set(id, workspaceId)
    this.#closedPlaces = new Set(this.#placeOfUnreadable.values())
  }

  delete(id: string): void {
    if (this.#placeOfUnreadable.delete(id)) this.#closedPlaces = new Set(this.#placeOfUnreadable.values())
    const fact = this.#byId.get(id)
    if (fact === undefined) return
    this.#byId.delete(id)
    const rest = this.ofPrincipal(fact.principalId).filter((other) => other !== fact)
    if (rest.length === 0) this.#byPrincipal.delete(fact.principalId)
    else this.#byPrincipal.set(fact.principalId, rest)
  }
}
