import type { Probe } from './probe.ts'
import { type Sampled, sampleOf } from './sample.ts'

/** What the areas of secrets and access can be asked about one tenant; handed in, because an area knows no other's ways. */
export interface TenantAudits {
  readonly ciphertexts: {
    look(
      tenantId: string,
      checked: (count: number) => void,
    ): Promise<readonly { readonly secretVersionId: string; readonly fault: string }[]>
  }
  readonly decisions: {
    compare(
      tenantId: string,
      checked: (count: number) => void,
    ): Promise<
      | readonly {
          readonly principalId: string
          readonly workspace: string
          readonly permission: string
          readonly engine: string
          readonly naive: string
        }[]
      | undefined
    >
  }
}

/** Whether values open at their place and nowhere else. */
export function ciphertextProbe({ ciphertexts }: TenantAudits, sample: Sampled): Probe {
  return {
    name: 'ciphertexts',
    async look({ checked, found, pause }) {
      for (const tenantUid of await sampleOf(sample)) {
        await pause()
        for (const { secretVersionId, fault } of await ciphertexts.look(tenantUid, checked)) {
          const subject = `secret_versions ${secretVersionId}`
          if (fault === 'shut') {
            const description = `The value of version ${secretVersionId} is not the one sealed there.`
            found({ kind: 'ciphertext-does-not-open', tenantUid, subject, description })
          } else {
            const description = `The value of version ${secretVersionId} opens at another ${fault}.`
            found({ kind: 'ciphertext-opens-elsewhere', tenantUid, subject, description })
          }
        }
      }
    },
  }
}

/** Whether what is decided from memory is what the rows say. */
export function decisionProbe({ decisions }: TenantAudits, sample: Sampled): Probe {
  return {
    name: 'decisions',
    async look({ checked, found, pause }) {
      for (const tenantUid of await sampleOf(sample)) {
        await pause()
        // Undefined: it changes faster than it can be read twice; the next look may find it at rest.
        for (const each of (await decisions.compare(tenantUid, checked)) ?? []) {
          const where = each.workspace === '' ? 'the tenant' : `workspace ${each.workspace}`
          const description = `${each.permission} for ${each.principalId} in ${where}: memory says ${each.engine}, rows say ${each.naive}.`
          found({ kind: 'decision-differs', tenantUid, subject: each.permission, description })
        }
      }
    },
  }
}
