import type { Probe } from './probe.ts'

/** Whether the database still has the tables, columns and keys that isolation rests on. */
export function schemaProbe(schemaDrift: () => Promise<string[]>): Probe {
  return {
    name: 'schema',
    async look({ checked, found }) {
      const drift = await schemaDrift()
      checked()
      for (const each of drift)
        found({ kind: 'schema-drift', tenantUid: '', subject: subjectOf(each), description: `${each}.` })
    },
  }
}

/** The name at which a sentence about a schema ends, or begins. */
function subjectOf(sentence: string): string {
  return /(?:table|of) (\w+)/.exec(sentence)?.[1] ?? ''
}
