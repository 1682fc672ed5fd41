import type { CheckpointEvents } from './assurance/checkpoints/checkpoint-events.ts'
import { createCheckpointEvidence } from './assurance/checkpoints/checkpoint-evidence.ts'
import { type CheckpointKeeper, startCheckpointKeeper } from './assurance/checkpoints/checkpoint-keeper.ts'
import { type CheckpointSink, fileSink, stdoutSink, webhookSink } from './assurance/checkpoints/checkpoint-sink.ts'
import { platformTenantId } from './base/ids.ts'
import type { Config } from './config/config.ts'
import { openVerificationKeys } from './jwt/verification-keys.ts'
import type { Keys } from './keys.ts'
import type { AlertHook } from './observe/alert-hook.ts'
import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'
import { createChainEnds } from './tenancy/chain-ends.ts'
import { type CheckpointBook, createCheckpointBook } from './tenancy/checkpoint-book.ts'

/** Follows every chain of the installation into checkpoints. */
export function openAuditCheckpoints(
  config: Config,
  runtime: Runtime,
  platform: Platform,
  keys: Keys,
  alerts: AlertHook,
): CheckpointKeeper {
  const { storage, capabilities } = platform
  const keeper = startCheckpointKeeper({
    ends: createChainEnds(storage.directory, storage.cell, capabilities['audit-checkpoints']),
    book: openBook(platform),
    sink: openSink(config, runtime),
    signingKey: () => keys.signingKeys.active,
    ...{ clock: runtime.clock, jitter: runtime.jitter, maker: config.replica },
    events: eventsTo(runtime, alerts),
  })
  platform.onGrowth(keeper)
  return keeper
}

/** What checkpoints say of a chain, whichever server made them. */
export async function openCheckpointEvidence(platform: Platform, { signingKeys }: Keys) {
  const keys = await openVerificationKeys({ keys: signingKeys.published })
  return createCheckpointEvidence(openBook(platform), keys ?? new Map())
}

export function openBook({ storage, capabilities }: Platform): CheckpointBook {
  return createCheckpointBook(storage.directory, capabilities['audit-checkpoints'])
}

function openSink({ auditCheckpoints: { sink, secret } }: Config, { clock }: Runtime): CheckpointSink | undefined {
  switch (sink.kind) {
    case 'file':
      return fileSink(sink.path)
    case 'stdout':
      return stdoutSink()
    case 'webhook':
      return webhookSink({ url: sink.url, secret, clock })
    case 'none':
      return undefined
  }
}

/** Every chain of an installation begins anew after a restore: that is one alert. */
const restoredAgainMs = 10 * 60_000

function eventsTo({ log, metrics, clock }: Runtime, alerts: AlertHook): CheckpointEvents {
  let restoredMs = Number.NEGATIVE_INFINITY
  return {
    rewritten({ tenantId, chain }, problem) {
      log.error({ tenantId, chain, problem }, 'an audit chain is not what was signed for')
      alerts.raise('audit.rewritten', { tenant_uid: tenantId, chain, problem })
    },
    rewrittenCount: metrics.auditChainsRewritten,
    restored({ tenantId, chain }) {
      log.warn(
        { tenantId, chain },
        'an audit chain goes on from a restored database; without a restore it was rewritten',
      )
      const nowMs = clock.monotonicMs()
      if (nowMs - restoredMs < restoredAgainMs) return
      restoredMs = nowMs
      alerts.raise('audit.restored', { tenant_uid: tenantId, chain })
    },
    lost(number) {
      log.error({ number }, 'audit checkpoints are gone from the database')
      alerts.raise('audit.rewritten', {
        tenant_uid: platformTenantId,
        chain: '',
        problem: `checkpoint ${number} is gone`,
      })
    },
    unshipped: (error) =>
      log.error({ err: error }, 'audit checkpoints cannot leave the database; they are kept and tried again'),
    failed: (error) => log.error({ err: error }, 'audit checkpoints could not be made; it is tried again'),
    current: metrics.auditCheckpointed,
  }
}
