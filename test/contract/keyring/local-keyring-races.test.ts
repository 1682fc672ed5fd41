import { writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RandomFill } from '../../../src/base/ids.ts'
import { type KeyFolder, openKeyFolder } from '../../../src/keyring/local/key-folder.ts'
import { encodeTombstone } from '../../../src/keyring/local/key-record.ts'
import { recoverKeyFolder } from '../../../src/keyring/local/key-store.ts'
import { failureOf } from './keyring-failure.ts'
import { type LocalRig, makeLocalRig, realRandom } from './local-rig.ts'

const contenders = Array.from({ length: 12 }, (_, index) => index)

let rig: LocalRig
let folder: KeyFolder
/** What "another process" does at the moment a key is being drawn. */
let meanwhile: () => void

beforeEach(async () => {
  meanwhile = () => {}
  const random: RandomFill = (bytes) => {
    realRandom(bytes)
    meanwhile()
  }
  rig = await makeLocalRig(random)
  folder = await openKeyFolder(rig.folder, realRandom)
})
afterEach(() => rig[Symbol.asyncDispose]())

test('of those who make one file at once, one succeeds, and its content is what stays', async () => {
  const made = await Promise.all(contenders.map((index) => folder.writeNew('k.1.key', Buffer.of(index))))
  expect(made.filter(Boolean)).toHaveLength(1)
  expect(await readFile(join(rig.folder, 'k.1.key'))).toEqual(Buffer.of(made.indexOf(true)))
  expect(await readdir(rig.folder)).toEqual(['k.1.key'])
})

test('those who erase one file at once all succeed', async () => {
  await folder.writeNew('k.1.key', Buffer.from('key'))
  await Promise.all(contenders.map(() => folder.shred('k.1.key')))
  await folder.shred('k.1.key')
  expect(await readdir(rig.folder)).toEqual([])
})

test.each(['createKey', 'rotateKey'] as const)(
  'a version that %s adds does not outlive a destruction meanwhile',
  async (verb) => {
    const keyring = await rig.open()
    if (verb === 'rotateKey') await keyring.createKey('k')
    meanwhile = () => writeFileSync(join(rig.folder, 'k.destroyed'), encodeTombstone('k', 1), { mode: 0o600 })
    expect(await failureOf(keyring[verb]('k'))).toBe('DESTROYED')
    expect(await readdir(rig.folder)).toEqual(['k.destroyed'])
  },
)

test('a key made by another process meanwhile is the key', async () => {
  const keyring = await rig.open()
  const other = await rig.open()
  await other.createKey('source')
  const before = await other.createKey('k')
  expect(await keyring.createKey('k')).toEqual(before)
})

test('a start goes on where another process destroys a key while the folder is looked through', async () => {
  const keyring = await rig.open()
  await keyring.createKey('gone')
  await keyring.rotateKey('gone')
  await keyring.createKey('stays')
  const destroyedMeanwhile: KeyFolder = {
    ...folder,
    async list() {
      const names = await folder.list()
      await keyring.destroyKey('gone')
      return names
    },
  }
  await recoverKeyFolder(destroyedMeanwhile)
  expect([...(await folder.list())].sort()).toEqual(['gone.destroyed', 'stays.1.key'])
})

test('a start takes no key away that another process is just making', async () => {
  const keyring = await rig.open()
  const hit = new Set<string>()
  let ended = false
  // Each key meets one start, which takes what is unfinished for what a crash left behind.
  const starts = async () => {
    while (!ended) {
      for (const name of (await folder.list()).filter((each) => each.endsWith('.tmp'))) {
        const [keyId = ''] = name.split('.')
        if (!hit.has(keyId)) await folder.removeUnfinished(name)
        hit.add(keyId)
      }
    }
  }
  const starting = starts()
  const made = await Promise.allSettled(contenders.map((index) => keyring.createKey(`key-${index}`)))
  ended = true
  await starting
  expect(hit.size).toBeGreaterThan(0)
  expect(made.filter(({ status }) => status === 'rejected')).toEqual([])
})
