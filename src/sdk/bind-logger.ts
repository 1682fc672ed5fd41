import type { TenantContext, TenantLevelContext } from './tenant-context.ts'

/** A logger in the manner of pino: `child` answers one that writes `fields` into every line. */
export interface ChildLogger {
  child(fields: object): ChildLogger
}

/** A logger in the manner of the console: it writes its arguments one after the other. */
export interface LineLogger {
  debug(...line: readonly unknown[]): void
  info(...line: readonly unknown[]): void
  warn(...line: readonly unknown[]): void
  error(...line: readonly unknown[]): void
}

/** Where a line was written: the uids, which are never given to anybody else, and the slugs for whoever reads. */
export interface PlaceFields {
  readonly tenant: string
  readonly tenant_uid: string
  readonly workspace?: string
  readonly workspace_uid?: string
}

/** A logger whose every line says which tenant and workspace it is about. The one it is made of stays as it is. */
export function bindLogger<Logger extends ChildLogger>(
  logger: Logger,
  context: TenantContext | TenantLevelContext,
): ReturnType<Logger['child']>
export function bindLogger(logger: LineLogger, context: TenantContext | TenantLevelContext): LineLogger
export function bindLogger(
  logger: ChildLogger | LineLogger,
  context: TenantContext | TenantLevelContext,
): ChildLogger | LineLogger {
  const fields = placeFieldsOf(context)
  if ('child' in logger) return logger.child(fields)
  // First in the line: whatever a request put into the rest stands behind it.
  const tag = `[${Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}]`
  return {
    debug: (...line) => logger.debug(tag, ...line),
    info: (...line) => logger.info(tag, ...line),
    warn: (...line) => logger.warn(tag, ...line),
    error: (...line) => logger.error(tag, ...line),
  }
}

function placeFieldsOf(context: TenantContext | TenantLevelContext): PlaceFields {
  const tenant = { tenant: context.tenantSlug, tenant_uid: context.tenantUid }
  return context.workspaceUid === undefined
    ? tenant
    : { ...tenant, workspace: context.workspaceSlug, workspace_uid: context.workspaceUid }
}
