import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { childEnvironment, endChild, refusedStart, runTenure, startChild } from '../support/child-server.ts'
import { localKeyringOf } from '../support/test-keyring.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-file-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a folder that cannot be made is one sentence and exit code 1', async () => {
  writeFileSync(join(folder, 'file'), '')
  const sentence = await refusedStart(
    childEnvironment(folder, { TENURE_DATABASE_URL: `sqlite:${folder}/file/sub/tenure.db` }),
  )
  expect(sentence).toMatch(/^tenure: The folder .* cannot be made/)
})

test('a damaged file, another program’s file and another program’s database are each one sentence', async () => {
  const file = join(folder, 'tenure.db')
  const env = childEnvironment(folder)
  writeFileSync(file, 'this is not a database, it is a text of some length')
  expect(await refusedStart(env)).toMatch(/is not a Tenure database: it is damaged, or another program's/)
  rmSync(file)
  const foreign = new DatabaseSync(file)
  foreign.exec('CREATE TABLE songs (title text)')
  foreign.close()
  expect(await refusedStart(env)).toMatch(/is a SQLite database of another program/)
  rmSync(file)
  await runTenure(['bootstrap'], env)
  const bytes = readFileSync(file)
  bytes.fill(0x5a, 4096, 40_000)
  writeFileSync(file, bytes)
  expect(await refusedStart(env)).toMatch(/is damaged/)
})

test('everything the server writes is its owner’s alone', async () => {
  chmodSync(folder, 0o755)
  const data = join(folder, 'data')
  const env = childEnvironment(data, localKeyringOf(data))
  await runTenure(['bootstrap'], env)
  const child = await startChild(env)
  for (const name of ['tenure.db', 'tenure.db-wal', 'tenure.db.lock', 'root-api-key', 'keyring']) {
    expect([name, statSync(join(data, name)).mode & 0o077]).toEqual([name, 0])
  }
  await endChild(child, 'SIGTERM')
})

test('a second process on the same database is refused with a sentence and exit code 1', async () => {
  const env = childEnvironment(folder)
  await runTenure(['bootstrap'], env)
  const child = await startChild(env)
  for (const args of [['serve'], ['migrate', 'status'], ['bootstrap']]) {
    const sentence = await refusedStart(env, args)
    expect(sentence).toMatch(/^tenure: Another Tenure process uses this database/)
    expect(sentence.split('\n')).toHaveLength(1)
  }
  await endChild(child, 'SIGTERM')
})
