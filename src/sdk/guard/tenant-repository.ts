import type { TenantContext, TenantLevelContext } from '../tenant-context.ts'
import type { TenantGuard } from './tenant-guard.ts'

/** The part of a repository of TypeORM that is used here. */
interface RepositoryLike {
  readonly metadata: {
    readonly tableName: string
    readonly columns: readonly { readonly propertyName: string; readonly databaseName: string }[]
  }
  find(options?: object): Promise<unknown[]>
  findOne(options: object): Promise<unknown>
  count(options?: object): Promise<number>
  insert(entity: object): Promise<unknown>
  update(criteria: object, changes: object): Promise<unknown>
  delete(criteria: object): Promise<unknown>
}

type FindOptions<R extends RepositoryLike> = NonNullable<Parameters<R['find']>[0]>
type Entity<R extends RepositoryLike> = Awaited<ReturnType<R['find']>>[number]

/** The rows of one place, by the entities of TypeORM. */
export interface TenantRepository<R extends RepositoryLike> {
  find(options?: FindOptions<R>): Promise<Entity<R>[]>
  findOne(options: FindOptions<R>): Promise<Entity<R> | undefined>
  count(options?: FindOptions<R>): Promise<number>
  /** The entity without its keys, which are filled in; answers it with them. */
  insert<E extends object>(entity: E): Promise<E & Partial<Entity<R>>>
  update(where: Partial<Entity<R>>, changes: Partial<Entity<R>>): Promise<ReturnType<R['update']>>
  delete(where: Partial<Entity<R>>): Promise<ReturnType<R['delete']>>
}

/**
 * Adds the predicate of the context to everything asked of the repository. The guard would refuse a query without it;
 * this is how not to forget it.
 */
export function tenantRepository<R extends RepositoryLike>(
  guard: TenantGuard,
  repository: R,
  context: TenantContext | TenantLevelContext,
): TenantRepository<R> {
  const place = placeOf(guard, repository, context)
  const pinned = (where: object): object => {
    for (const property of Object.keys(place)) {
      if (property in where) throw new TypeError(`${property} comes from the context`)
    }
    return { ...where, ...place }
  }
  const within = (options: object = {}): object => {
    const where: unknown = 'where' in options ? options.where : undefined
    const branches = Array.isArray(where) ? where.map(pinned) : pinned((where as object | undefined) ?? {})
    return { ...options, where: branches }
  }
  return {
    find: async (options) => (await repository.find(within(options))) as Entity<R>[],
    findOne: async (options) => ((await repository.findOne(within(options))) ?? undefined) as Entity<R> | undefined,
    count: (options) => repository.count(within(options)),
    async insert(entity) {
      const whole = pinned(entity)
      // A copy: TypeORM writes what the database made into the object it is given.
      const inserted = { ...whole }
      await repository.insert(inserted)
      return inserted as never
    },
    update: (where, changes) => repository.update(demanded(pinned, where), unpinned(place, changes)) as never,
    delete: (where) => repository.delete(demanded(pinned, where)) as never,
  }
}

function placeOf(
  guard: TenantGuard,
  { metadata }: RepositoryLike,
  { tenantUid, workspaceUid }: TenantContext | TenantLevelContext,
): Readonly<Record<string, string>> {
  const { tableName, columns } = metadata
  const owned = Object.hasOwn(guard.tables, tableName) ? guard.tables[tableName] : undefined
  if (owned === undefined) throw new TypeError(`${tableName} is not among the tables of this guard`)
  const property = (column: string): string => {
    const found = columns.find(({ databaseName }) => databaseName === column)
    if (found === undefined) throw new TypeError(`the entity of ${tableName} has no column ${column}`)
    return found.propertyName
  }
  const tenant = { [property(owned.tenant)]: tenantUid }
  if (owned.workspace === undefined) return tenant
  if (workspaceUid === undefined)
    throw new TypeError(`rows of ${tableName} belong to a workspace, this context to none`)
  return { ...tenant, [property(owned.workspace)]: workspaceUid }
}

function demanded(pinned: (where: object) => object, where: object): object {
  if (Object.keys(where).length === 0) throw new TypeError('say which rows: a write needs a condition')
  return pinned(where)
}

function unpinned(place: object, changes: object): object {
  for (const property of Object.keys(place)) {
    if (property in changes) throw new TypeError(`${property} comes from the context`)
  }
  return changes
}
