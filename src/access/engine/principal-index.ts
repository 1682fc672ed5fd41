import type { PrincipalFact, PrincipalKind } from './facts.ts'

/** The principals of one tenant, found by id, by kind and slug, or by issuer and subject. Keys are never concatenated: `a` + `bc` must not meet `ab` + `c`. */
export class PrincipalIndex {
  readonly #byId = new Map<string, PrincipalFact>()
  readonly #bySlug: Readonly<Record<PrincipalKind, Map<string, PrincipalFact>>> = {
    user: new Map(),
    service_account: new Map(),
  }
  readonly #byIssuer = new Map<string, Map<string, PrincipalFact>>()

  byId(id: string): PrincipalFact | undefined {
    return this.#byId.get(id)
  }

  bySlug(kind: PrincipalKind, slug: string): PrincipalFact | undefined {
    return this.#bySlug[kind].get(slug)
  }

  byIdentity(issuer: string, subject: string): PrincipalFact | undefined {
    return this.#byIssuer.get(issuer)?.get(subject)
  }

  put(fact: PrincipalFact): void {
    this.delete(fact.principalId)
    this.#byId.set(fact.principalId, fact)
    claim(this.#bySlug[fact.kind], fact.slug, fact)
    // A service account has no outside identity: two empty strings must never find one.
    if (fact.kind !== 'user' || fact.issuer === '' || fact.subject === '') return
    let subjects = this.#byIssuer.get(fact.issuer)
    if (subjects === undefined) {
      subjects = new Map()
      this.#byIssuer.set(fact.issuer, subjects)
    }
    claim(subjects, fact.subject, fact)
  }

  delete(id: string): void {
    const fact = this.#byId.get(id)
    if (fact === undefined) return
    this.#byId.delete(id)
    release(this.#bySlug[fact.kind], fact.slug, fact)
    const subjects = this.#byIssuer.get(fact.issuer)
    if (subjects === undefined) return
    release(subjects, fact.subject, fact)
    if (subjects.size === 0) this.#byIssuer.delete(fact.issuer)
  }
}

/** Whichever row comes first: one that is disabled never hides one that is active under the same key. */
function claim(index: Map<string, PrincipalFact>, key: string, fact: PrincipalFact): void {
  if (fact.active || index.get(key)?.active !== true) index.set(key, fact)
}

function release(index: Map<string, PrincipalFact>, key: string, fact: PrincipalFact): void {
  if (index.get(key) === fact) index.delete(key)
}
