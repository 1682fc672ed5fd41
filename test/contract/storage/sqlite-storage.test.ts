import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../../src/observe/log.ts'
import { createRuntime } from '../../../src/server.ts'
import { openStorage } from '../../../src/storage-parts.ts'
import { testConfig } from '../../support/test-server.ts'
import { describeStorage } from './storage-contract.ts'

describeStorage('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-storage-'))
  const config = testConfig(folder)
  const storage = await openStorage(config, createRuntime(config, { log: silentLog }))
  return {
    cell: storage.cell,
    async [Symbol.asyncDispose]() {
      await storage[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})
