import { unproven } from './guard-refusal.ts'

/**
 * The tree deeper than this is never built. The parser has a limit of its own for nesting but none for chains
 * (`a OR a OR …`): past about 600 links it overruns its stack and is unusable for the rest of the process, so one
 * hostile filter would have every later statement refused.
 */
const EXPRESSION_DEPTH_MAX = 400

/** Beyond 20 levels the parser backtracks: `NOT (` two dozen times takes it seconds, double for each level more. */
const NESTING_MAX = 16

/** Running lengths of the chains of a group, tightest last; a looser link ends the tighter chains before it. */
interface Group {
  unions: number
  ors: number
  ands: number
  links: number
  longestOrs: number
  longestAnds: number
  longestLinks: number
}

const LINKING_WORDS = new Set(['is', 'not', 'in', 'like', 'between'])
const LINKING_SYMBOLS = new Set(['=', '<', '>', '<=', '>=', '<>', '!=', '+', '-', '*'])

/** Bounds the depth of the tree a text will parse to, from its tokens alone. */
export class DepthMeter {
  readonly #groups: Group[] = [emptyGroup()]
  #outer = 0

  word(word: string): void {
    const group = this.#current()
    const lower = word.toLowerCase()
    if (lower === 'union') {
      group.unions += 1
      group.ors = 0
      group.ands = 0
      group.links = 0
    } else if (lower === 'or') {
      group.ors += 1
      group.ands = 0
      group.links = 0
    } else if (lower === 'and') {
      group.ands += 1
      group.links = 0
    } else if (LINKING_WORDS.has(lower)) {
      group.links += 1
    } else {
      return
    }
    this.#measure(group)
  }

  symbol(symbol: string): void {
    if (symbol === '(') {
      this.#outer += depthOf(this.#current()) + 1
      this.#groups.push(emptyGroup())
      if (this.#groups.length > NESTING_MAX) unproven('too-deep')
    } else if (symbol === ')') {
      if (this.#groups.length === 1) unproven('unparsable')
      this.#groups.pop()
      this.#outer -= depthOf(this.#current()) + 1
    } else if (LINKING_SYMBOLS.has(symbol)) {
      const group = this.#current()
      group.links += 1
      this.#measure(group)
    }
  }

  #current(): Group {
    return this.#groups.at(-1) ?? unproven('unparsable')
  }

  #measure(group: Group): void {
    group.longestOrs = Math.max(group.longestOrs, group.ors)
    group.longestAnds = Math.max(group.longestAnds, group.ands)
    group.longestLinks = Math.max(group.longestLinks, group.links)
    if (this.#outer + depthOf(group) > EXPRESSION_DEPTH_MAX) unproven('too-deep')
  }
}

function emptyGroup(): Group {
  return { unions: 0, ors: 0, ands: 0, links: 0, longestOrs: 0, longestAnds: 0, longestLinks: 0 }
}

function depthOf({ unions, longestOrs, longestAnds, longestLinks }: Group): number {
  return unions + longestOrs + longestAnds + longestLinks
}
