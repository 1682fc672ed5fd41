import type { GuardTry } from '../../tenancy/guard-probe.ts'
import type { Probe } from './probe.ts'

/** Whether the guard refuses, at every door to the rows, what it must refuse. */
export function guardProbe(tries: readonly GuardTry[]): Probe {
  return {
    name: 'guard',
    async look({ checked, found, pause }) {
      for (const attempt of tries) {
        await pause()
        checked()
        if (await attempt.isRefused()) continue
        const description = `A statement that ${attempt.what} ran on the ${attempt.door} path.`
        found({ kind: 'guard-open', tenantUid: '', subject: attempt.table, description })
      }
    },
  }
}
