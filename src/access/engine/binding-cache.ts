import type { CompiledBinding } from './compiled-binding.ts'

/** How many compiled bindings all tenants may hold together: each carries its encoded answer, so they outweigh the facts. */
export class BindingBudget {
  readonly #max: number
  readonly #makeRoom: (enough: () => boolean) => void
  #used = 0

  /** `makeRoom` clears caches, those least in use first, until told that it is enough. */
  constructor(max: number, makeRoom: (enough: () => boolean) => void) {
    this.#max = max
    this.#makeRoom = makeRoom
  }

  get used(): number {
    return this.#used
  }

  take(): void {
    // Half of it at once: making room for one at a time would walk the tenants with each question.
    if (this.#used >= this.#max) this.#makeRoom(() => this.#used <= this.#max / 2)
    this.#used += 1
  }

  giveBack(count: number): void {
    this.#used -= count
  }
}

/** One tenant's compiled bindings. Only what exists is kept, so that asking about nothing costs no memory. */
export class BindingCache {
  readonly #budget: BindingBudget
  readonly #byPrincipal = new Map<string, Map<string, CompiledBinding>>()
  #size = 0

  constructor(budget: BindingBudget) {
    this.#budget = budget
  }

  get(principalId: string, workspaceId: string): CompiledBinding | undefined {
    return this.#byPrincipal.get(principalId)?.get(workspaceId)
  }

  put(principalId: string, workspaceId: string, binding: CompiledBinding): void {
    if (this.get(principalId, workspaceId) === undefined) {
      // First, because making room may clear this very cache.
      this.#budget.take()
      this.#size += 1
    }
    let places = this.#byPrincipal.get(principalId)
    if (places === undefined) {
      places = new Map()
      this.#byPrincipal.set(principalId, places)
    }
    places.set(workspaceId, binding)
  }

  forgetPrincipal(principalId: string): void {
    const places = this.#byPrincipal.get(principalId)
    if (places === undefined) return
    this.#byPrincipal.delete(principalId)
    this.#size -= places.size
    this.#budget.giveBack(places.size)
  }

  clear(): void {
    this.#budget.giveBack(this.#size)
    this.#byPrincipal.clear()
    this.#size = 0
  }
}
