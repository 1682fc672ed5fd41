import { Bitset } from './bitset.ts'

export interface CataloguedPermission {
  /** `orders.read` */
  readonly name: string
  readonly effect: 'READ' | 'WRITE'
  /** Who enforces it; `tenure` for our own. */
  readonly service: string
  /** Of the platform alone: no role of a tenant can grant it. */
  readonly platformOnly: boolean
}

/** A permission and the bit that stands for it. */
export interface PlacedPermission extends CataloguedPermission {
  readonly index: number
}

/**
 * Every permission there is. An index, once given, stands for that one entry for ever: a permission that is removed and
 * added again gets a new one, so bits compiled before the removal can never come back to life.
 */
export class PermissionCatalogue {
  readonly #placed = new Map<string, PlacedPermission>()
  readonly #nameByIndex: string[] = []
  #tenantGrantable: Bitset | undefined
  #version = 0

  constructor(entries: Iterable<CataloguedPermission> = []) {
    this.replaceAll(entries)
  }

  /** Grows by one with each change; whatever was compiled at another version is void. */
  get version(): number {
    return this.#version
  }

  find(name: string): PlacedPermission | undefined {
    return this.#placed.get(name)
  }

  has(name: string): boolean {
    return this.#placed.has(name)
  }

  indexOf(name: string): number | undefined {
    return this.#placed.get(name)?.index
  }

  /** Knows retired indexes too. */
  nameAt(index: number): string | undefined {
    return this.#nameByIndex[index]
  }

  entries(): Iterable<PlacedPermission> {
    return this.#placed.values()
  }

  /** Names that the catalogue does not know are left out: unknown grants nothing. */
  bitsOf(names: Iterable<string>): Bitset {
    const indexes: number[] = []
    for (const name of names) {
      const index = this.indexOf(name)
      if (index !== undefined) indexes.push(index)
    }
    return Bitset.of(indexes)
  }

  /** What a tenant can have at all. */
  get tenantGrantable(): Bitset {
    this.#tenantGrantable ??= Bitset.of(
      [...this.#placed.values()].filter((permission) => !permission.platformOnly).map(({ index }) => index),
    )
    return this.#tenantGrantable
  }

  add(entry: CataloguedPermission): void {
    if (this.#place(entry)) this.#changed()
  }

  remove(name: string): void {
    if (this.#placed.delete(name)) this.#changed()
  }

  replaceAll(entries: Iterable<CataloguedPermission>): void {
    const wanted = new Map<string, CataloguedPermission>()
    for (const entry of entries) wanted.set(entry.name, entry)
    let changed = false
    for (const name of [...this.#placed.keys()]) {
      if (!wanted.has(name)) changed = this.#placed.delete(name) || changed
    }
    for (const entry of wanted.values()) changed = this.#place(entry) || changed
    if (changed) this.#changed()
  }

  #place(entry: CataloguedPermission): boolean {
    const { name, effect, service, platformOnly } = entry
    const known = this.#placed.get(name)
    if (
      known !== undefined &&
      known.effect === effect &&
      known.service === service &&
      known.platformOnly === platformOnly
    ) {
      return false
    }
    const index = known?.index ?? this.#nameByIndex.push(name) - 1
    this.#placed.set(name, { name, effect, service, platformOnly, index })
    return true
  }

  #changed(): void {
    this.#version += 1
    this.#tenantGrantable = undefined
  }
}
