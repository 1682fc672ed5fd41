import type { CompiledBinding } from './compiled-binding.ts'

/** One tenant's compiled bindings. Only what exists is kept, so that asking about nothing costs no memory. */
export class BindingCache {
  readonly #maxBindings: number
  readonly #byPrincipal = new Map<string, Map<string, CompiledBinding>>()
  #size = 0

  constructor(maxBindings: number) {
    this.#maxBindings = maxBindings
  }

  get size(): number {
    return this.#size
  }

  get(principalId: string, workspaceId: string): CompiledBinding | undefined {
    return this.#byPrincipal.get(principalId)?.get(workspaceId)
  }

  put(principalId: string, workspaceId: string, binding: CompiledBinding): void {
    // Starting over is cheaper than an order of use on the hot path: compiling again takes microseconds.
    if (this.#size >= this.#maxBindings) this.clear()
    let places = this.#byPrincipal.get(principalId)
    if (places === undefined) {
      places = new Map()
      this.#byPrincipal.set(principalId, places)
    }
    if (!places.has(workspaceId)) this.#size += 1
    places.set(workspaceId, binding)
  }

  forgetPrincipal(principalId: string): void {
    const places = this.#byPrincipal.get(principalId)
    if (places === undefined) return
    this.#size -= places.size
    this.#byPrincipal.delete(principalId)
  }

  clear(): void {
    this.#byPrincipal.clear()
    this.#size = 0
  }
}
