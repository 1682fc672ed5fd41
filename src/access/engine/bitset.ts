/** A set of small whole numbers. Never changes once built, so that it can be shared between bindings. */
export class Bitset {
  static readonly empty = new Bitset(new Uint32Array(0))

  readonly #words: Uint32Array

  private constructor(words: Uint32Array) {
    this.#words = words
  }

  static of(indexes: Iterable<number>): Bitset {
    const list = [...indexes]
    let highest = -1
    for (const index of list) if (index > highest) highest = index
    if (highest === -1) return Bitset.empty
    const words = new Uint32Array((highest >>> 5) + 1)
    for (const index of list) words[index >>> 5] = (words[index >>> 5] ?? 0) | (1 << (index & 31))
    return new Bitset(words)
  }

  has(index: number): boolean {
    const word = this.#words[index >>> 5]
    return word !== undefined && (word & (1 << (index & 31))) !== 0
  }

  get isEmpty(): boolean {
    return this.#words.every((word) => word === 0)
  }

  union(other: Bitset): Bitset {
    const [long, short] = this.#words.length >= other.#words.length ? [this, other] : [other, this]
    const words = Uint32Array.from(long.#words)
    for (let at = 0; at < short.#words.length; at += 1) words[at] = (words[at] ?? 0) | (short.#words[at] ?? 0)
    return new Bitset(words)
  }

  intersect(other: Bitset): Bitset {
    const words = new Uint32Array(Math.min(this.#words.length, other.#words.length))
    for (let at = 0; at < words.length; at += 1) words[at] = (this.#words[at] ?? 0) & (other.#words[at] ?? 0)
    return new Bitset(words)
  }

  containsAll(other: Bitset): boolean {
    return other.#words.every((word, at) => (word & ~(this.#words[at] ?? 0)) === 0)
  }

  /** Ascending. */
  indexes(): number[] {
    const found: number[] = []
    for (let at = 0; at < this.#words.length; at += 1) {
      const word = this.#words[at] ?? 0
      for (let bit = 0; bit < 32; bit += 1) if ((word & (1 << bit)) !== 0) found.push(at * 32 + bit)
    }
    return found
  }
}
