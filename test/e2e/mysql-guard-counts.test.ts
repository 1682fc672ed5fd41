import { randomFillSync } from 'node:crypto'
import { expect, test } from 'vitest'
import type { SeenViolation } from '../../src/assurance/guard-violation.ts'
import { openGuardViolationBook } from '../../src/assurance/guard-violation-book.ts'
import { recordViolation } from '../../src/assurance/guard-violation-store.ts'
import { systemClock } from '../../src/base/clock.ts'
import { createIds } from '../../src/base/ids.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { afterFirstStatement, ofPurpose } from '../support/interleave.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

const ids = createIds(systemClock, (bytes) => void randomFillSync(bytes))
const seen: SeenViolation = {
  ...{ source: 'tenure', tenantUid: '', workspaceUid: '', reason: 'unbound', statement: 'SELECT 1' },
  ...{ guardMode: 'ENFORCE', seenCount: 1 },
}

async function refuse({ server }: TestServer, times: number): Promise<void> {
  const { directory, capabilities } = server.platform
  for (let time = 0; time < times; time += 1) {
    await directory.writeUnlogged(capabilities.diagnostics, (scope) => recordViolation(scope, seen, new Date(), ids))
  }
}

test('what two servers refuse at once is counted whole', async () => {
  await using one = await startTestServer({ env: { TENURE_REPLICA: 'one' } })
  await using two = await startTestServer({
    folder: one.folder,
    env: { TENURE_REPLICA: 'two', TENURE_DATABASE_URL: one.databaseUrl },
  })
  await refuse(one, 1)
  await Promise.all([refuse(one, 60), refuse(two, 60)])
  const { guardViolations } = await one.client(DiagnosticsService).listGuardViolations({})
  expect(guardViolations.map(({ count }) => count)).toEqual([121n])
})

test('what two servers are the first to refuse at once is taken down by both, and neither fails', async () => {
  await using one = await startTestServer({ env: { TENURE_REPLICA: 'one' } })
  await using two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'two' } })
  const failures: unknown[] = []
  const bookOf = ({ server }: TestServer) => {
    const { directory, capabilities } = server.platform
    const failed = (error: unknown) => void failures.push(error)
    return openGuardViolationBook({ directory, capability: capabilities.diagnostics, clock: systemClock, ids, failed })
  }
  await using first = bookOf(one)
  await using second = bookOf(two)
  afterFirstStatement(one.server.platform.storage.directory, ofPurpose('diagnostics'), async () => {
    second.add(seen)
    await second.flush()
  })
  first.add(seen)
  await first.flush()
  expect(failures).toEqual([])
  const { guardViolations } = await one.client(DiagnosticsService).listGuardViolations({})
  expect(guardViolations.map(({ count }) => count)).toEqual([2n])
})
