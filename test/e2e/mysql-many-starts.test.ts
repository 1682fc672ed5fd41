import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '../../src/observe/log.ts'
import { startServer } from '../../src/server.ts'
import { openSideDoor } from '../support/side-door.ts'
import { databaseUrlOf, ensureDatabase } from '../support/test-database.ts'
import { ensureKeyring, keyringSettingsOf } from '../support/test-keyring.ts'
import { testConfig } from '../support/test-server.ts'

test('servers that start at once on an empty database make one signing key', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-many-'))
  await ensureDatabase(databaseUrlOf(folder))
  await ensureKeyring(keyringSettingsOf(folder))
  const started = await Promise.allSettled(
    [1, 2, 3, 4, 5].map((n) => startServer(testConfig(folder, { TENURE_REPLICA: `r-${n}` }), { log: silentLog })),
  )
  const seen = new Set<string>()
  for (const each of started) {
    if (each.status === 'fulfilled')
      seen.add(await (await fetch(`http://127.0.0.1:${each.value.httpPort}/.well-known/jwks.json`)).text())
  }
  await using rows = await openSideDoor(databaseUrlOf(folder))
  expect(await rows.all('SELECT state FROM signing_keys')).toEqual([{ state: 'ACTIVE' }])
  for (const each of started) if (each.status === 'fulfilled') await each.value[Symbol.asyncDispose]()
  expect(seen.size).toBe(1)
  expect(started.every(({ status }) => status === 'fulfilled')).toBe(true)
}, 90_000)
