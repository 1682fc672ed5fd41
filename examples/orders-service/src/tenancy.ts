import { createCallContexts, createControlPlane, type LineLogger } from 'tenure-sdk'
import {
  type CountedViolation,
  createTenantGuard,
  createViolationReporter,
  type TenantGuard,
  type ViolationReporter,
} from 'tenure-sdk/guard'
import type { KeyAt, Settings } from './settings.ts'
import { createStock, type Stock } from './stock.ts'

/** What the service has of Tenure beside the verifier of tokens. */
export interface Tenancy {
  readonly guard: TenantGuard
  /** Undefined without a control plane to report to. */
  readonly reporter: ViolationReporter | undefined
  readonly stock: Stock | undefined
}

export async function openTenancy(settings: Settings, log: LineLogger): Promise<Tenancy> {
  const reporter = settings.reports === undefined ? undefined : reporterTo(settings.reports, log)
  const guard = await createTenantGuard({
    dialect: 'mysql',
    mode: settings.guardMode,
    // Every table of this service. One that is not here is refused, so a new one cannot be forgotten.
    tables: { orders: { tenant: 'tenant_id', workspace: 'workspace_id' } },
    onViolation: (violation) => log.warn(sentenceOf(violation)),
    ...(reporter === undefined ? {} : { reporter }),
  })
  return { guard, reporter, stock: stockOf(settings) }
}

function reporterTo(access: KeyAt, log: LineLogger): ViolationReporter {
  const onError = (error: unknown) => log.warn('violations could not be reported:', error)
  return createViolationReporter({ controlPlane: createControlPlane(access), source: 'orders', onError })
}

function stockOf({ stock }: Settings): Stock | undefined {
  if (stock === undefined) return undefined
  const controlPlane = createControlPlane(stock)
  const contexts = createCallContexts({ controlPlane, audience: 'stock', origin: stock.stockUrl })
  return createStock(stock.stockUrl, contexts)
}

function sentenceOf({ mode, reason, statement, tenantUid, workspaceUid, count }: CountedViolation): string {
  const place = `tenant_uid=${tenantUid ?? 'none'} workspace_uid=${workspaceUid ?? 'none'}`
  return `guard ${mode}: ${reason} ${place} seen=${count}: ${statement}`
}
