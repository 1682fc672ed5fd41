import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'
import { beginNewTimelines } from './tenancy/new-timeline.ts'

/** After a restore nothing that was handed out before may pass for what is now. Answers how many tenants there are. */
export function beginTimelinesAfterRestore(
  { storage, capabilities }: Platform,
  { clock, ids }: Runtime,
  progress: (done: number, of: number) => void,
): Promise<number> {
  return beginNewTimelines({
    ...{ directory: storage.directory, cell: storage.cell, capability: capabilities.restore, clock, ids, progress },
    actor: { principal: 'serviceAccounts/root', credential: 'restored', requestId: ids.next(), clientIp: '' },
  })
}
