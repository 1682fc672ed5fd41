import { createDecisionAudit } from './access/decision-audit.ts'
import { canaryProbe } from './assurance/isolation/canary-probe.ts'
import { diagnoseIsolationJob } from './assurance/isolation/diagnose-isolation.ts'
import { guardProbe } from './assurance/isolation/guard-probe.ts'
import { historyProbe, takesAway, toldOf } from './assurance/isolation/history-probe.ts'
import { placementProbe } from './assurance/isolation/placement-probe.ts'
import type { Probe } from './assurance/isolation/probe.ts'
import { rowCodesProbe } from './assurance/isolation/row-codes-probe.ts'
import { ownershipProbe, referencesProbe } from './assurance/isolation/rows-probe.ts'
import { schemaProbe } from './assurance/isolation/schema-probe.ts'
import { ciphertextProbe, decisionProbe } from './assurance/isolation/value-probes.ts'
import { canaryAccount } from './base/canaries.ts'
import type { Config } from './config/config.ts'
import { platformApiKeyRows } from './credentials/api-key-store.ts'
import type { Keys } from './keys.ts'
import type { AlertHook } from './observe/alert-hook.ts'
import type { Job } from './operations/job.ts'
import { pipelineCalls } from './pipeline-calls.ts'
import type { Platform } from './platform.ts'
import { insertPlatformKey, newPlatformKey, writePlatformKey } from './platform-credential.ts'
import type { Pipeline } from './rpc/pipeline.ts'
import { createCiphertextAudit } from './secrets/ciphertext-audit.ts'
import type { Runtime } from './server.ts'
import { cellTables } from './tables.ts'
import { checkCodes } from './tenancy/coded-rows.ts'
import { guardTries } from './tenancy/guard-probe.ts'
import { readCell } from './tenancy/platform-scope.ts'
import { createRowSurvey } from './tenancy/row-survey.ts'
import { createTenantHistories } from './tenancy/tenant-history.ts'
import { tenantsBeingPurged } from './tenants/purge-tenant.ts'
import { allHeads, isLiving } from './tenants/tenant-store.ts'
import { TenantPlacementTable } from './tenants/tenant-table.ts'
import { productVersion } from './version.ts'

/** Tenants whose every row is read in one look, and those that are asked about. */
const maxTenantsRead = 100

/** Everything the look at isolation is made of, put together. */
export function openDiagnosis(
  config: Config,
  runtime: Runtime,
  platform: Platform,
  keys: Keys,
  pipeline: Pipeline,
  alerts: AlertHook,
): Job {
  const { directory, capabilities, storage } = platform
  const { clock, ids, log, metrics } = runtime
  return diagnoseIsolationJob({
    ...{ directory, capability: capabilities.diagnostics, clock, ids, log, alerts },
    probes: probesOf(config, runtime, platform, keys, pipeline),
    signingKey: () => keys.signingKeys.active,
    tenantCount: async () => (await livingTenants(platform)).length,
    ...{ serverVersion: productVersion, schemaVersion: storage.schemaVersion },
    finished: ({ outcome, probes, createTime }) => {
      metrics.isolationLooked(outcome, new Map(probes.map(({ probe, findingCount }) => [probe, findingCount])))
      if (outcome === 'PASSED') metrics.isolationPassedAt(createTime.getTime())
    },
  })
}

function probesOf(config: Config, runtime: Runtime, platform: Platform, keys: Keys, pipeline: Pipeline): Probe[] {
  const { storage, scopes, capabilities, directory, engines, catalogue } = platform
  const { clock, jitter } = runtime
  const tenantIds = async () => (await livingTenants(platform)).map(({ tenantId }) => tenantId)
  const sample = { tenantIds, random: jitter, max: maxTenantsRead }
  const survey = createRowSurvey(storage.cell, capabilities['isolation-survey'])
  const beingPurged = () => directory.read(capabilities['platform-operations'], tenantsBeingPurged)
  const audits = {
    ciphertexts: createCiphertextAudit(scopes, keys.sealer),
    decisions: createDecisionAudit({ engines, scopes, catalogue, clock, random: jitter }),
  }
  return [
    guardProbe(guardTries(storage.cell, cellTables)),
    schemaProbe(() => storage.schemaDrift()),
    ownershipProbe(survey, cellTables, beingPurged),
    referencesProbe(survey, beingPurged),
    rowCodesProbe((found, pause) => checkCodes(platform.codedRows, found, pause)),
    historyProbe(createTenantHistories({ scopes, isLiving, takesAway }), toldOf(cellTables), sample),
    placementProbe({
      inDirectory: () =>
        directory.read(capabilities['tenant-directory'], (scope) => scope.rows(TenantPlacementTable).all({})),
      inCell: () => readCell(storage.cell, capabilities['projection-repair'], allHeads),
    }),
    ciphertextProbe(audits, sample),
    decisionProbe(audits, sample),
    canaryProbe({
      calls: pipelineCalls(pipeline),
      clock,
      openRootKey: () => openCanaryKey(config, runtime, platform),
    }),
  ]
}

async function livingTenants({ storage, capabilities }: Platform) {
  const heads = await readCell(storage.cell, capabilities['projection-repair'], allHeads)
  return heads.filter(({ state }) => state !== 'PURGED')
}

const canaryKeyLifeMs = 10 * 60_000
const canaries = { slug: canaryAccount, displayName: 'Looks at isolation' }

/**
 * A key that can make what the canaries lack, for one look: it is revoked at its end, and ends by itself where the server
 * does not live to revoke it. Its text never leaves the process.
 */
async function openCanaryKey(config: Config, { ids, random, clock }: Runtime, platform: Platform) {
  const key = newPlatformKey(config.environment, { ids, random })
  const actor = { principal: 'tenure', credential: '', requestId: ids.next(), clientIp: '' }
  const words = {
    ...{ environment: config.environment, displayName: 'For one look at isolation' },
    expireTime: new Date(clock.nowMs() + canaryKeyLifeMs),
  }
  await writePlatformKey(platform, actor, 'apiKeys.create', canaries, (unit) =>
    insertPlatformKey(unit, ids, canaries, key, words),
  )
  return {
    key: key.text,
    async [Symbol.asyncDispose]() {
      key.secret.fill(0)
      await writePlatformKey(platform, actor, 'apiKeys.revoke', canaries, async (unit) => {
        await platformApiKeyRows(unit).update(key.apiKeyId, { state: 'REVOKED', version: 2, updateTime: unit.now })
      })
    },
  }
}
