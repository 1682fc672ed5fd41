import type { ObjectLiteral } from 'typeorm'
import { TenureError } from '../base/errors.ts'
import { type Filter, type FilterOperator, invalidFilter, parseFilter } from '../base/filter.ts'
import type { Condition, Rows } from './rows.ts'

/** A field of a resource that a list can be filtered or ordered by. */
export interface ListField {
  readonly property: string
  /** `word`: of a closed list; `text`: a final `*` matches any ending; `reference`: a resource name, found by `resolve`. */
  readonly kind: 'word' | 'text' | 'exactText' | 'time' | 'number' | 'reference'
  readonly filter?: boolean
  readonly order?: boolean
  /** `word` only: what may be asked for. */
  readonly words?: readonly string[]
  /** `reference` only: the stored id behind a resource name; undefined when there is none, and then nothing matches. */
  readonly resolve?: (name: string) => Promise<string | undefined>
}

export interface ListSpec {
  readonly fields: Readonly<Record<string, ListField>>
  /** A unique property of the place; makes every order total. */
  readonly tieBreak: string
  /** Unless asked otherwise: by the tie break, or by this. */
  readonly defaultOrder?: { readonly field: string; readonly descending: boolean }
  /** Properties that no list answers, and none reads. */
  readonly without?: readonly string[]
}

export interface ListRequest {
  readonly pageSize: number
  readonly pageToken: string
  readonly filter: string
  readonly orderBy: string
}

/** What a page token is good for: this caller asking this method this query, and nothing else. */
export interface PageBinding {
  readonly tenantId: string
  readonly principal: string
  readonly credential: string
  readonly method: string
  /** Everything of the request that decides what is listed. */
  readonly query: readonly string[]
}

export interface PageTokens {
  seal(binding: PageBinding, position: readonly string[]): string
  /** Throws INVALID_PAGE_TOKEN for everything `seal` has not made for this binding. */
  open(binding: PageBinding, token: string): readonly string[]
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  readonly nextPageToken: string
}

const defaultPageSize = 50
const maxPageSize = 1_000

interface Order {
  readonly property: string
  readonly kind: ListField['kind']
  readonly descending: boolean
}

/** One page by position, not by offset: rows written meanwhile neither shift nor repeat. */
export async function listPage<Row extends ObjectLiteral>(
  rows: Rows<Row>,
  spec: ListSpec,
  request: ListRequest,
  binding: PageBinding,
  tokens: PageTokens,
  fixed: readonly Condition[] = [],
): Promise<Page<Row>> {
  const order = orderFrom(request.orderBy, spec)
  const limit = request.pageSize === 0 ? defaultPageSize : Math.min(request.pageSize, maxPageSize)
  const conditions = [...fixed]
  const filter = parseFilter(request.filter)
  if (filter !== undefined) conditions.push(await new FilterCompiler(spec, rows.comparable).compile(filter))
  if (request.pageToken !== '') conditions.push(after(order, tokens.open(binding, request.pageToken)))
  const orderBy = order.map(({ property, descending }) => ({ property, descending }))
  const { without = [] } = spec
  const found = await rows.page({ conditions, orderBy, limit: limit + 1, without })
  const last = found[limit - 1]
  if (found.length <= limit || last === undefined) return { rows: found, nextPageToken: '' }
  return { rows: found.slice(0, limit), nextPageToken: tokens.seal(binding, positionOf(last, order)) }
}

function orderFrom(text: string, spec: ListSpec): Order[] {
  const order: Order[] = []
  const asked = text.trim() === '' ? [] : text.split(',')
  for (const part of asked) {
    const [name = '', direction, ...rest] = part.trim().split(/\s+/)
    const field = spec.fields[name]
    const known = Object.hasOwn(spec.fields, name) && field?.order === true
    if (!known || rest.length > 0 || (direction !== undefined && direction !== 'desc' && direction !== 'asc')) {
      throw invalidOrder(
        `cannot be ${JSON.stringify(part.trim())}; it takes ${orderable(spec)}, each with an optional " desc"`,
      )
    }
    order.push({ property: field.property, kind: field.kind, descending: direction === 'desc' })
  }
  if (order.length === 0 && spec.defaultOrder !== undefined) {
    const field = spec.fields[spec.defaultOrder.field]
    if (field !== undefined) {
      order.push({ property: field.property, kind: field.kind, descending: spec.defaultOrder.descending })
    }
  }
  const descending = order.at(-1)?.descending ?? false
  const withoutTie = order.filter(({ property }) => property !== spec.tieBreak)
  if (withoutTie.length < order.length && order[0]?.property === spec.tieBreak) return order.slice(0, 1)
  const tie = Object.values(spec.fields).find(({ property }) => property === spec.tieBreak)
  return [...withoutTie, { property: spec.tieBreak, kind: tie?.kind ?? 'text', descending }]
}

function orderable(spec: ListSpec): string {
  const names = Object.entries(spec.fields).filter(([, field]) => field.order === true)
  return names.map(([name]) => name).join(', ')
}

function invalidOrder(detail: string): TenureError {
  return new TenureError('INVALID_ORDER_BY', `order_by: ${detail}`, {
    fieldViolations: [{ field: 'order_by', description: detail }],
  })
}

function positionOf<Row extends ObjectLiteral>(row: Row, order: readonly Order[]): string[] {
  return order.map(({ property }) => {
    const value: unknown = row[property]
    return value instanceof Date ? value.toISOString() : String(value)
  })
}

/** (a > x) OR (a = x AND b > y) OR …: everything behind the position, whatever the direction of each part. */
function after(order: readonly Order[], position: readonly string[]): Condition {
  const parameters: Record<string, unknown> = {}
  const branches = order.map((part, at) => {
    const equal = order.slice(0, at).map((before, i) => `row.${before.property} = :after_${i}`)
    return `(${[...equal, `row.${part.property} ${part.descending ? '<' : '>'} :after_${at}`].join(' AND ')})`
  })
  order.forEach(({ kind }, at) => {
    const text = position[at] ?? ''
    parameters[`after_${at}`] = positionFrom(kind, text)
  })
  return { sql: branches.join(' OR '), parameters }
}

function positionFrom(kind: ListField['kind'], text: string): unknown {
  switch (kind) {
    case 'time':
      return new Date(text)
    case 'exactText':
      return Buffer.from(text)
    case 'number':
      return Number(text)
    default:
      return text
  }
}

class FilterCompiler {
  readonly #spec: ListSpec
  readonly #comparable: Rows<ObjectLiteral>['comparable']
  readonly #parameters: Record<string, unknown> = {}
  #count = 0

  constructor(spec: ListSpec, comparable: Rows<ObjectLiteral>['comparable']) {
    this.#spec = spec
    this.#comparable = comparable
  }

  async compile(filter: Filter): Promise<Condition> {
    return { sql: await this.#sql(filter), parameters: this.#parameters }
  }

  async #sql(filter: Filter): Promise<string> {
    if (filter.kind === 'not') return `NOT (${await this.#sql(filter.part)})`
    if (filter.kind === 'compare') return this.#comparison(filter.field, filter.operator, filter.value)
    const parts: string[] = []
    for (const part of filter.parts) parts.push(`(${await this.#sql(part)})`)
    return parts.join(filter.kind === 'and' ? ' AND ' : ' OR ')
  }

  async #comparison(name: string, operator: FilterOperator, value: string): Promise<string> {
    const field = Object.hasOwn(this.#spec.fields, name) ? this.#spec.fields[name] : undefined
    if (field?.filter !== true) {
      const known = Object.entries(this.#spec.fields).filter(([, each]) => each.filter === true)
      throw invalidFilter(`cannot use ${JSON.stringify(name)}; it takes ${known.map(([each]) => each).join(', ')}`)
    }
    if (field.kind === 'text' && operator === '=' && value.endsWith('*')) return this.#prefix(field, value.slice(0, -1))
    const ordered = operator !== '=' && operator !== '!='
    if (ordered && (field.kind === 'word' || field.kind === 'reference' || field.kind === 'exactText')) {
      throw invalidFilter(`${name} can only be compared by = and !=`)
    }
    const stored = await storedFrom(name, field, value)
    const bound = typeof stored === 'string' ? this.#comparable(field.property, stored) : stored
    return this.#bound(`row.${field.property} ${operator}`, bound)
  }

  /** A range instead of LIKE: it uses the index and has no wildcards to escape. */
  #prefix(field: ListField, prefix: string): string {
    const { property } = field
    const from = this.#bound(`row.${property} >=`, this.#comparable(property, prefix))
    const to = this.#bound(`row.${property} <`, this.#comparable(property, `${prefix}\u{10ffff}`))
    return `(${from} AND ${to})`
  }

  #bound(left: string, value: unknown): string {
    const name = `filter_${this.#count}`
    this.#count += 1
    this.#parameters[name] = value
    return `${left} :${name}`
  }
}

async function storedFrom(name: string, field: ListField, value: string): Promise<unknown> {
  switch (field.kind) {
    case 'word':
      if (field.words?.includes(value) !== true) {
        throw invalidFilter(`${name} is one of ${field.words?.join(', ')}, not ${JSON.stringify(value)}`)
      }
      return value
    case 'time': {
      const time = new Date(value)
      // An offset can move a time out of the years that every engine stores.
      const year = time.getUTCFullYear()
      if (!(year >= 1 && year <= 9999) || !/^\d{4}-\d{2}-\d{2}/.test(value)) {
        throw invalidFilter(
          `${name} takes a time of RFC 3339 such as "2026-01-31T12:00:00Z", not ${JSON.stringify(value)}`,
        )
      }
      return time
    }
    case 'exactText':
      return Buffer.from(value)
    case 'reference':
      return (await field.resolve?.(value)) ?? ''
    default:
      return value
  }
}
