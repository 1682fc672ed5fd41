import { execFileSync } from 'node:child_process'
import {
  chmod,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { openLocalKeyring } from '../../../src/keyring/local/local-keyring.ts'
import { failureOf, keyringErrorOf } from './keyring-failure.ts'
import { type LocalRig, makeLocalRig, realRandom, steppingClock } from './local-rig.ts'

const place = Buffer.from('place')

let rig: LocalRig
let keyring: Keyring
const at = (name: string) => join(rig.folder, name)

beforeEach(async () => {
  rig = await makeLocalRig()
  keyring = await rig.open()
  await keyring.createKey('k')
})
afterEach(() => rig[Symbol.asyncDispose]())

describe('nobody but the owner sees a key', () => {
  test('the folder is 0700, with the folders made above it, and every file 0600, whatever the umask', async () => {
    await keyring.rotateKey('k')
    await keyring.createKey('gone')
    await keyring.destroyKey('gone')
    expect((await stat(rig.folder)).mode & 0o777).toBe(0o700)
    expect((await stat(dirname(rig.folder))).mode & 0o777).toBe(0o700)
    expect((await readdir(rig.folder)).sort()).toEqual(['gone.destroyed', 'k.1.key', 'k.2.key'])
    for (const name of await readdir(rig.folder)) expect((await stat(at(name))).mode & 0o777).toBe(0o600)
  })

  test.each([0o750, 0o705, 0o701, 0o710, 0o777])(
    'a folder of mode %o is refused, at start and while running',
    async (mode) => {
      await chmod(rig.folder, mode)
      const error = await keyringErrorOf(rig.open())
      expect(error?.reason).toBe('INVALID')
      expect(error?.message).toContain(`"chmod 700"`)
      expect(error?.message).toContain(rig.folder)
      expect(await failureOf(keyring.checkHealth())).toBe('INVALID')
    },
  )

  test.each([0o640, 0o604, 0o620])('a key file of mode %o is refused, at start and at use', async (mode) => {
    await chmod(at('k.1.key'), mode)
    expect((await keyringErrorOf(rig.open()))?.message).toContain('"chmod 600"')
    expect(await failureOf(keyring.generateDataKey('k', place))).toBe('INVALID')
  })

  test('a data key or key never stands in an error', async () => {
    const bytes = await readFile(at('k.1.key'))
    await truncate(at('k.1.key'), 60)
    const error = await keyringErrorOf(rig.open())
    expect(JSON.stringify([error?.message, String(error?.cause)])).not.toContain(bytes.subarray(23, 55).toString('hex'))
  })
})

describe('what is not a whole keyring stops the start with one sentence', () => {
  const foreign = [
    'notes.txt',
    '.DS_Store',
    'k.key',
    'k.0.key',
    'k.01.key',
    'K.1.key',
    'k.1.key.bak',
    'k.1.key.tmp',
    'k',
  ]
  test.each(foreign)('the foreign file %s', async (name) => {
    await writeFile(at(name), 'x', { mode: 0o600 })
    const error = await keyringErrorOf(rig.open())
    expect(error?.reason).toBe('INVALID')
    expect(error?.message).toContain(JSON.stringify(name))
  })

  test('a damaged key file: every byte counts', async () => {
    const bytes = await readFile(at('k.1.key'))
    for (let index = 0; index < bytes.length; index += 1) {
      await writeFile(
        at('k.1.key'),
        bytes.map((byte, position) => (position === index ? byte ^ 0x80 : byte)),
      )
      expect((await keyringErrorOf(rig.open()))?.message).toContain('k.1.key is damaged')
    }
    for (const length of [0, 1, bytes.length - 1]) {
      await writeFile(at('k.1.key'), bytes.subarray(0, length))
      expect(await failureOf(rig.open())).toBe('INVALID')
    }
    await writeFile(at('k.1.key'), Buffer.concat([bytes, Buffer.of(0)]))
    expect(await failureOf(rig.open())).toBe('INVALID')
    expect(await failureOf(keyring.generateDataKey('k', place))).toBe('INVALID')
    await writeFile(at('k.1.key'), bytes)
    expect(await failureOf(rig.open())).toBe('none')
  })

  test('a damaged tombstone', async () => {
    await keyring.destroyKey('k')
    await writeFile(at('k.destroyed'), '')
    expect((await keyringErrorOf(rig.open()))?.message).toContain('k.destroyed is damaged')
    expect(await failureOf(keyring.generateDataKey('k', place))).toBe('DESTROYED')
    expect(await failureOf(keyring.createKey('k'))).toBe('DESTROYED')
  })

  test('the key of one id put under the name of another, or one version under another', async () => {
    await copyFile(at('k.1.key'), at('other.1.key'))
    expect((await keyringErrorOf(rig.open()))?.message).toContain('other.1.key is damaged')
    await rm(at('other.1.key'))
    await copyFile(at('k.1.key'), at('k.2.key'))
    expect((await keyringErrorOf(rig.open()))?.message).toContain('k.2.key is damaged')
  })

  test('a missing version', async () => {
    await keyring.rotateKey('k')
    await rm(at('k.1.key'))
    expect((await keyringErrorOf(rig.open()))?.message).toContain('k.1.key is missing')
  })

  test('links and folders in place of key files', async () => {
    const outside = join(dirname(rig.folder), 'outside')
    await rename(at('k.1.key'), outside)
    await symlink(outside, at('k.1.key'))
    expect((await keyringErrorOf(rig.open()))?.message).toContain('not a plain file')
    expect(await failureOf(keyring.generateDataKey('k', place))).toBe('INVALID')
    await rm(at('k.1.key'))
    await mkdir(at('k.1.key'))
    expect((await keyringErrorOf(rig.open()))?.message).toContain('not a plain file')
  })

  test('a pipe in place of a key file does not hang the start', async () => {
    await rm(at('k.1.key'))
    execFileSync('mkfifo', ['-m', '600', at('k.1.key')])
    expect((await keyringErrorOf(rig.open()))?.message).toContain('not a plain file')
  })

  test('a file, or a link, in place of the folder', async () => {
    const parent = dirname(rig.folder)
    await writeFile(join(parent, 'file'), '')
    await symlink(rig.folder, join(parent, 'link'))
    for (const name of ['file', 'link']) {
      const open = openLocalKeyring({ folder: join(parent, name), random: realRandom, clock: steppingClock() })
      expect((await keyringErrorOf(open))?.message).toContain('is not a folder')
    }
    const below = openLocalKeyring({ folder: join(parent, 'file', 'x'), random: realRandom, clock: steppingClock() })
    expect(await failureOf(below)).toBe('UNAVAILABLE')
  })

  test('a folder that went away is not healthy, and nothing is made in its place', async () => {
    await rename(rig.folder, `${rig.folder}-away`)
    expect(await failureOf(keyring.checkHealth())).toBe('UNAVAILABLE')
    expect(await failureOf(keyring.createKey('new'))).toBe('UNAVAILABLE')
  })
})

describe('a crash leaves a key whole or not there', () => {
  const unfinished = 'new.1.key.0123456789abcdef.tmp'

  test('before the file has its name: the key was never made', async () => {
    await writeFile(at(unfinished), (await readFile(at('k.1.key'))).subarray(0, 40), { mode: 0o600 })
    const next = await rig.open()
    expect(await readdir(rig.folder)).toEqual(['k.1.key'])
    expect(await failureOf(next.describeKey('new'))).toBe('UNKNOWN_KEY')
    expect(await next.createKey('new')).toMatchObject({ versions: [{ version: 1 }] })
  })

  test('after it has its name and before the first name is gone: the key lives', async () => {
    const { wrapped, plaintext } = await keyring.generateDataKey('k', place)
    await link(at('k.1.key'), at('k.1.key.0123456789abcdef.tmp'))
    const next = await rig.open()
    expect(await readdir(rig.folder)).toEqual(['k.1.key'])
    expect(await next.unwrapDataKey(wrapped, place)).toEqual(plaintext)
  })

  test('between tombstone and erasure: the key is destroyed, and the next start erases it', async () => {
    await keyring.rotateKey('k')
    const { wrapped } = await keyring.generateDataKey('k', place)
    const saved = await Promise.all(['k.1.key', 'k.2.key'].map((name) => readFile(at(name))))
    await keyring.destroyKey('k')
    await Promise.all(saved.map((bytes, index) => writeFile(at(`k.${index + 1}.key`), bytes, { mode: 0o600 })))
    expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('DESTROYED')
    await rig.open()
    expect(await readdir(rig.folder)).toEqual(['k.destroyed'])
  })
})

describe('a destroyed key', () => {
  test('is overwritten where it lies: another name of the file holds zeros', async () => {
    await link(at('k.1.key'), join(dirname(rig.folder), 'second-name'))
    await keyring.destroyKey('k')
    const left = await readFile(join(dirname(rig.folder), 'second-name'))
    expect(left.length).toBeGreaterThan(0)
    expect(left.every((byte) => byte === 0)).toBe(true)
  })

  test('put back from a copy is refused, by the running keyring and the next: the tombstone wins', async () => {
    const { wrapped } = await keyring.generateDataKey('k', place)
    const copy = await readFile(at('k.1.key'))
    await keyring.destroyKey('k')
    await writeFile(at('k.1.key'), copy, { mode: 0o600 })
    expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('DESTROYED')
    expect(await failureOf(keyring.createKey('k'))).toBe('DESTROYED')
    const next = await rig.open()
    expect(await failureOf(next.unwrapDataKey(wrapped, place))).toBe('DESTROYED')
    expect(await readdir(rig.folder)).toEqual(['k.destroyed'])
  })

  test('can be destroyed although its file is damaged', async () => {
    await writeFile(at('k.1.key'), 'x')
    expect((await keyring.destroyKey('k')).versions).toEqual([])
    expect(await readdir(rig.folder)).toEqual(['k.destroyed'])
  })
})

test('a source of randomness that gives nothing makes no key', async () => {
  const options = { folder: rig.folder, random: () => {}, clock: steppingClock() }
  await using broken = await openLocalKeyring(options)
  await expect(broken.createKey('zero')).rejects.toThrow('randomness')
  await expect(broken.generateDataKey('k', place)).rejects.toThrow('randomness')
  expect(await readdir(rig.folder)).toEqual(['k.1.key'])
})
