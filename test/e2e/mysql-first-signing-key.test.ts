import { expect, test } from 'vitest'
import { openSigningKeys } from '../../src/credentials/signing-key-store.ts'
import { silentLog } from '../../src/observe/log.ts'
import { platformKeyId } from '../../src/platform-keys.ts'
import { createRuntime } from '../../src/server.ts'
import { nextWriteOf, ofPurpose } from '../support/interleave.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

test('a start that has lost its turn makes no signing key beside that of another', async () => {
  await using one = await startTestServer()
  await using two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-2' } })
  await using rows = await openSideDoor(one.databaseUrl)
  await rows.run('DELETE FROM signing_keys')
  const open = ({ server, config }: TestServer) => {
    const { directory, capabilities, keyring } = server.platform
    const failed = () => undefined
    const home = { directory, capability: capabilities['signing-keys'], keyring, keyId: platformKeyId, failed }
    return openSigningKeys({ ...home, ...createRuntime(config, { log: silentLog }) })
  }
  let quick: Awaited<ReturnType<typeof open>> | undefined
  nextWriteOf(one.server.platform.storage.directory, ofPurpose('signing-keys'), async (write, work) => {
    quick = await open(two)
    return write(work)
  })
  const slow = await open(one)
  expect(slow.active.kid).toBe(quick?.active.kid)
  expect(await rows.all('SELECT state FROM signing_keys')).toEqual([{ state: 'ACTIVE' }])
})
