import { constants, type Stats } from 'node:fs'
import { access, link, lstat, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { RandomFill } from '../../base/ids.ts'
import { KeyringError } from '../keyring-error.ts'
import { unfinishedName } from './key-file-name.ts'

/**
 * A folder only its owner can look into, of files that come into being whole or not at all. Every failure is a
 * KeyringError: INVALID with a sentence for the operator where folder or file are not as they must be, else UNAVAILABLE.
 */
export interface KeyFolder {
  /** Names, in no order. */
  list(): Promise<readonly string[]>
  exists(name: string): Promise<boolean>
  /** Undefined where there is none. Refuses what others than the owner can read, and what is no plain file. */
  read(name: string, maxBytes: number): Promise<Buffer | undefined>
  /** Durable when it resolves. False, and nothing changed, where the name is taken. */
  writeNew(name: string, bytes: Uint8Array): Promise<boolean>
  /** Overwrites and removes a file; durable when it resolves. Nothing happens where there is none. */
  shred(name: string): Promise<void>
  /** Removes what a crash left of writeNew. */
  removeUnfinished(name: string): Promise<void>
  /** The folder itself, as it is now. */
  check(): Promise<void>
}

const othersBits = 0o077
const suffixBytes = 8
const writeTries = 5

export async function openKeyFolder(
  folder: string,
  random: RandomFill,
  { lookOnly = false }: { readonly lookOnly?: boolean } = {},
): Promise<KeyFolder> {
  const root = resolve(folder)
  if (!lookOnly) await guarded(`The keyring folder ${root} cannot be made`, () => makeFolder(root))
  const inFolder = (name: string) => join(root, name)
  const files: KeyFolder = {
    list: () => guarded(`The keyring folder ${root} cannot be read`, () => readdir(root)),
    exists: (name) => guarded(`${inFolder(name)} cannot be looked for`, () => existsAt(inFolder(name))),
    read: (name, maxBytes) => guarded(`${inFolder(name)} cannot be read`, () => readOwned(inFolder(name), maxBytes)),
    writeNew: (name, bytes) =>
      guarded(`${inFolder(name)} cannot be written`, () => writeWhole(root, name, bytes, random)),
    shred: (name) => guarded(`${inFolder(name)} cannot be erased`, () => shredFile(root, inFolder(name))),
    removeUnfinished: (name) => guarded(`${inFolder(name)} cannot be removed`, () => removeFile(root, inFolder(name))),
    check: () => guarded(`The keyring folder ${root} cannot be used`, () => checkFolder(root)),
  }
  await files.check()
  return files
}

async function makeFolder(root: string): Promise<void> {
  const first = await unless('EEXIST', mkdir(root, { recursive: true, mode: 0o700 }))
  if (first === undefined) return
  await syncFolder(dirname(root))
  await syncFolder(dirname(first))
}

async function checkFolder(root: string): Promise<void> {
  const stats = await lstat(root)
  if (!stats.isDirectory()) {
    throw new KeyringError(
      'INVALID',
      `The keyring ${root} is not a folder, or a link to one. Choose a folder, or move it away.`,
    )
  }
  checkOwner(root, stats, 'The keyring folder', '700')
  await access(root, constants.R_OK | constants.W_OK | constants.X_OK)
}

function checkOwner(path: string, stats: Stats, what: string, mode: string): void {
  if (stats.uid !== process.geteuid?.()) {
    throw new KeyringError(
      'INVALID',
      `${what} ${path} belongs to another user. Run as that user, or give it to this one.`,
    )
  }
  if ((stats.mode & othersBits) !== 0) {
    throw new KeyringError(
      'INVALID',
      `${what} ${path} is open to others than its owner. Run "chmod ${mode}" on it, and consider its keys read by them.`,
    )
  }
}

async function existsAt(path: string): Promise<boolean> {
  return (await unless('ENOENT', lstat(path))) !== undefined
}

async function readOwned(path: string, maxBytes: number): Promise<Buffer | undefined> {
  // A link would lead out of the folder, to a file that others may write; a pipe without NONBLOCK would hang the server.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const notPlain = new KeyringError(
    'INVALID',
    `${path} is not a plain file. Move it away, or restore the key it stands for.`,
  )
  const file = await unless('ENOENT', open(path, flags)).catch((error: unknown) => {
    throw codeOf(error) === 'ELOOP' ? notPlain : error
  })
  if (file === undefined) return undefined
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw notPlain
    checkOwner(path, stats, 'The key file', '600')
    const bytes = Buffer.alloc(maxBytes + 1)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** A start of another process takes what is unfinished for what a crash left behind: then it is written once more. */
async function writeWhole(root: string, name: string, bytes: Uint8Array, random: RandomFill): Promise<boolean> {
  for (let left = writeTries; ; left -= 1) {
    try {
      return await writeOnce(root, name, bytes, random)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || left <= 1) throw error
    }
  }
}

/**
 * The content is on the disk before the name is. The name is given by link, not by rename: rename would silently replace
 * the key that another process made under that name a moment ago, and with it everything sealed since.
 */
async function writeOnce(root: string, name: string, bytes: Uint8Array, random: RandomFill): Promise<boolean> {
  const suffix = Buffer.alloc(suffixBytes)
  random(suffix)
  const unfinished = join(root, unfinishedName(name, suffix))
  try {
    const file = await open(unfinished, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    try {
      await link(unfinished, join(root, name))
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    }
    return true
  } finally {
    await removeFile(root, unfinished)
  }
}

/**
 * Never overwritten: it may have its name by now, and be a key in use. A key that never got its name has sealed nothing,
 * so there is nothing to make unreadable.
 */
async function removeFile(root: string, path: string): Promise<void> {
  await unless('ENOENT', unlink(path))
  await syncFolder(root)
}

/** Somebody else may be erasing the same key: what is gone at any step is what was wanted. */
async function shredFile(root: string, path: string): Promise<void> {
  const stats = await unless('ENOENT', lstat(path))
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW
  const file = stats?.isFile() === true ? await unless('ENOENT', open(path, flags)) : undefined
  if (stats !== undefined && file !== undefined) {
    try {
      await file.write(Buffer.alloc(stats.size), 0, stats.size, 0)
      await file.sync()
    } finally {
      await file.close()
    }
  }
  await removeFile(root, path)
}

/** Undefined where the attempt fails with this code. */
async function unless<T>(code: string, attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt
  } catch (error) {
    if (codeOf(error) === code) return undefined
    throw error
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function guarded<T>(problem: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof KeyringError) throw error
    throw new KeyringError('UNAVAILABLE', `${problem} (${codeOf(error)}). Mend its permissions or its disk.`, {
      cause: error,
    })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
