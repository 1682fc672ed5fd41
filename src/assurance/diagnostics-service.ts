import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { DiagnosticsService, GetServerInfoResponseSchema } from '../gen/tenure/v1/diagnostics_service_pb.ts'
import { implement, type ServiceImplementation } from '../rpc/call.ts'

/** Facts of the running server that do not change while it runs. */
export interface ServerFacts {
  readonly version: string
  readonly schemaVersion: number
  readonly engine: string
  readonly keyring: string
  readonly startMs: number
  readonly features: readonly string[]
  readonly feedFreshnessMs: () => number
}

export function createDiagnosticsService(facts: ServerFacts): ServiceImplementation {
  return implement(DiagnosticsService, {
    getServerInfo: () =>
      create(GetServerInfoResponseSchema, {
        version: facts.version,
        schemaVersion: facts.schemaVersion,
        engine: facts.engine,
        keyring: facts.keyring,
        startTime: timestampFromMs(facts.startMs),
        feedFreshness: durationFromMs(Math.round(facts.feedFreshnessMs())),
        features: [...facts.features],
      }),
  })
}
