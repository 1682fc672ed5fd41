/** What a slot of a shape is written as: one run of characters that the pattern leaves open. */
const slot = '\u{f8ff}'

/**
 * The forms a field rule lets a name take, each optional part once there and once not, open runs as `{}`:
 * `tenants/{}/workspaces/{}`. Reads the pattern itself, so that a new name needs nothing here.
 */
export function shapesOf(pattern: string): string[] {
  const reader = new PatternReader(pattern.replace(/^\^/, '').replace(/\$$/, ''))
  const shapes = reader.alternatives().map((shape) => shape.replace(/\u{f8ff}+/gu, '{}'))
  return [...new Set(shapes)]
}

/** A name with its ids left out: what kind of thing it names. */
export function shapeOfName(name: string): string {
  return name
    .split('/')
    .map((segment, index) => (index % 2 === 0 ? segment : '{}'))
    .join('/')
}

class PatternReader {
  readonly #pattern: string
  #at = 0

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  alternatives(): string[] {
    const found = this.#sequence()
    while (this.#pattern[this.#at] === '|') {
      this.#at += 1
      found.push(...this.#sequence())
    }
    return found
  }

  #sequence(): string[] {
    let found = ['']
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#pattern[this.#at] ?? '')) {
      const atom = this.#quantified(this.#atom())
      found = found.flatMap((before) => atom.map((each) => before + each))
    }
    return found
  }

  #atom(): string[] {
    const first = this.#pattern[this.#at] ?? ''
    this.#at += 1
    if (first === '(') return this.#group()
    if (first === '[') return this.#characters()
    if (first === '.') return [slot]
    if (first !== '\\') return [first]
    const escaped = this.#pattern[this.#at] ?? ''
    this.#at += 1
    return [/[dws]/i.test(escaped) ? slot : escaped]
  }

  #group(): string[] {
    if (this.#pattern.startsWith('?:', this.#at)) this.#at += 2
    const inner = this.alternatives()
    this.#at += 1
    return inner
  }

  #characters(): string[] {
    while (this.#pattern[this.#at] !== ']') this.#at += this.#pattern[this.#at] === '\\' ? 2 : 1
    this.#at += 1
    return [slot]
  }

  #quantified(atom: string[]): string[] {
    const quantifier = /^(?:[?*+]|\{[\d,]+\})/.exec(this.#pattern.slice(this.#at))?.[0] ?? ''
    this.#at += quantifier.length
    // A run of open characters is one slot whatever its length; only a group that is optional is left out once.
    const optional = (quantifier === '?' || quantifier === '*') && !atom.every((each) => each === slot)
    return optional ? ['', ...atom] : atom
  }
}
