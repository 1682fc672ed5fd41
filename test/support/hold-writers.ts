import { openSideDoor } from './side-door.ts'
import { testEngine } from './test-database.ts'
import type { TestServer } from './test-server.ts'

/** Writers of a server that wait for their turn, each where it would wait for another writer. */
export interface HeldWriters {
  releaseDirectory(): Promise<void>
  /** On SQLite they go with those of the directory: there is one queue. */
  releaseTenants(): Promise<void>
}

export function holdWriters(test: TestServer): Promise<HeldWriters> {
  return testEngine === 'sqlite' ? holdQueue(test) : holdHeads(test)
}

async function holdQueue({ server }: TestServer): Promise<HeldWriters> {
  const { directory } = server.platform.storage
  const released = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const turn = directory.write({ kind: 'platform', purpose: 'permission-catalogue' }, async () => {
    held.resolve()
    await released.promise
    return { value: undefined, keep: false }
  })
  await held.promise
  return {
    async releaseDirectory() {
      released.resolve()
      await turn
    },
    releaseTenants: async () => undefined,
  }
}

async function holdHeads({ databaseUrl }: TestServer): Promise<HeldWriters> {
  const hold = async (heads: string) => {
    const sideDoor = await openSideDoor(databaseUrl)
    await sideDoor.run('START TRANSACTION')
    await sideDoor.all(`SELECT tenant_id FROM ${heads} FOR UPDATE`)
    return async () => sideDoor[Symbol.asyncDispose]()
  }
  return { releaseDirectory: await hold('directory_heads'), releaseTenants: await hold('tenant_heads') }
}
