import type { Bitset } from './bitset.ts'
import type { PermissionCatalogue } from './catalogue.ts'
import type { RoleFact } from './facts.ts'
import { platformAdminTemplate, templateBits } from './role-templates.ts'

/** The roles of one tenant, each compiled once per catalogue version. */
export class RoleIndex {
  readonly #catalogue: PermissionCatalogue
  readonly #isPlatform: boolean
  readonly #byId = new Map<string, RoleFact>()
  readonly #bits = new Map<string, Bitset>()

  constructor(catalogue: PermissionCatalogue, isPlatform: boolean) {
    this.#catalogue = catalogue
    this.#isPlatform = isPlatform
  }

  put(fact: RoleFact): void {
    this.#byId.set(fact.roleId, fact)
  }

  delete(id: string): void {
    this.#byId.delete(id)
  }

  forgetBits(): void {
    this.#bits.clear()
  }

  /** What a reference of a membership (a role's uid, or a template's name) grants. Undefined: no such role, so nothing. */
  bitsOf(reference: string): Bitset | undefined {
    const known = this.#bits.get(reference)
    if (known !== undefined) return known
    const bits = this.#compile(reference)
    if (bits !== undefined) this.#bits.set(reference, bits)
    return bits
  }

  #compile(reference: string): Bitset | undefined {
    const role = this.#byId.get(reference)
    if (this.#isPlatform) {
      return role === undefined ? templateBits(this.#catalogue, reference) : this.#catalogue.bitsOf(role.permissions)
    }
    // A row of a tenant that names a power of the platform, written past the checks of role and membership, grants none of it.
    if (role !== undefined) return this.#catalogue.bitsOf(role.permissions).intersect(this.#catalogue.tenantGrantable)
    return reference === platformAdminTemplate ? undefined : templateBits(this.#catalogue, reference)
  }
}
