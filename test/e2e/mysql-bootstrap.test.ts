import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bootstrapRootKey } from '../../src/bootstrap.ts'
import { silentLog } from '../../src/observe/log.ts'
import { openPlatform, type Platform } from '../../src/platform.ts'
import { createRuntime } from '../../src/server.ts'
import { isCommit, mysqlErrorPacket } from '../rigs/mysql/mysql-packets.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { databaseUrlOf, ensureDatabase, mysqlAdministrator } from '../support/test-database.ts'
import { ensureKeyring, keyringSettingsOf } from '../support/test-keyring.ts'
import { testConfig } from '../support/test-server.ts'

let folder: string
let network: FaultProxy
let sideDoor: SideDoor
let machines: Machine[]

interface Machine {
  readonly platform: Platform
  bootstrap(): Promise<boolean>
  keyFile(): string
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-bootstrap-'))
  await ensureDatabase(databaseUrlOf(folder))
  network = await openFaultProxy(mysqlAdministrator())
  sideDoor = await openSideDoor(databaseUrlOf(folder))
  machines = []
})

afterEach(async () => {
  for (const { platform } of machines) await platform[Symbol.asyncDispose]()
  for (const each of [sideDoor, network]) await each[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** One with a disk of its own, on the database that all share. */
async function openMachine(name: string): Promise<Machine> {
  const url = new URL(databaseUrlOf(folder))
  url.host = `${network.host}:${network.port}`
  const file = join(folder, `${name}-root-api-key`)
  const env = { TENURE_DATABASE_URL: url.href, TENURE_REPLICA: name, TENURE_ROOT_KEY_FILE: file }
  await ensureKeyring(keyringSettingsOf(folder))
  const config = testConfig(folder, env)
  const runtime = createRuntime(config, { log: silentLog })
  const platform = await openPlatform(config, runtime)
  const machine = {
    platform,
    bootstrap: () => bootstrapRootKey(platform, runtime, config),
    keyFile: () => readFileSync(file, 'utf8').trim(),
  }
  machines.push(machine)
  return machine
}

async function liveKeys(): Promise<number> {
  const rows = await sideDoor.all("SELECT api_key_id FROM platform_api_keys WHERE state = 'ACTIVE'")
  return rows.length
}

async function opens({ platform, keyFile }: Machine): Promise<string> {
  await platform.feeds.followDirectory()
  return (await platform.authenticator.authenticate(`Bearer ${keyFile()}`)).principal
}

/** Deadlocks at the COMMIT of what makes a key; nobody else's. */
function deadlockAtCommit(times: number): () => number {
  let making = false
  let made = 0
  network.replyWith(
    (bytes) => {
      making ||= bytes.includes('INSERT INTO `platform_api_keys`')
      if (!making || !isCommit(bytes)) return false
      made += 1
      return true
    },
    () => mysqlErrorPacket(1, 1213, '40001', 'Deadlock found when trying to get lock'),
    { times },
  )
  return () => made
}

test('a bootstrap that the database runs again after a deadlock makes one key, and its file holds it', async () => {
  const machine = await openMachine('one')
  const deadlocks = deadlockAtCommit(3)
  expect(await machine.bootstrap()).toBe(true)
  expect(deadlocks()).toBe(3)
  expect(await liveKeys()).toBe(1)
  expect(await opens(machine)).toBe('serviceAccounts/root')
  expect(await machine.bootstrap()).toBe(false)
})

test('a bootstrap that fails leaves no file of a key that never was', async () => {
  const machine = await openMachine('one')
  await sideDoor.run('ALTER TABLE platform_api_keys ADD CONSTRAINT none CHECK (version < 0)')
  await expect(machine.bootstrap()).rejects.toThrow()
  await sideDoor.run('ALTER TABLE platform_api_keys DROP CHECK none')
  expect(machine.keyFile).toThrow(/ENOENT/)
  expect(await machine.bootstrap()).toBe(true)
})

test.each(['never made', 'revoked'])('of bootstraps at once one makes a key, where it was %s', async (before) => {
  const all = await Promise.all(['one', 'two', 'three'].map(openMachine))
  if (before === 'revoked') {
    const first = await openMachine('first')
    expect(await first.bootstrap()).toBe(true)
    await sideDoor.run("UPDATE platform_api_keys SET state = 'REVOKED'")
  }
  const made = await Promise.all(all.map((machine) => machine.bootstrap()))
  expect([...made].sort()).toEqual([false, false, true])
  expect(await liveKeys()).toBe(1)
  const maker = all[made.indexOf(true)]
  expect(maker === undefined ? '' : await opens(maker)).toBe('serviceAccounts/root')
})
