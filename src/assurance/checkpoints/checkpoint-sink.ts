import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { postWebhook, type Webhook } from '../../observe/webhook.ts'

/** A place outside the database that checkpoints are kept at. */
export interface CheckpointSink {
  /**
   * Resolves when it is there to stay. Rejects with a sentence where it is not; it may be there all the same, and is then
   * sent again under the same id.
   */
  ship(id: string, line: string): Promise<void>
}

/** Appended to a file, one line each, and on the disk when it resolves. Opened anew for each, so that it may be moved away. */
export function fileSink(path: string): CheckpointSink {
  return {
    async ship(_id, line) {
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await using file = await open(path, 'a+', 0o600)
        const { size } = await file.stat()
        await file.appendFile(`${(await isTorn(file, size)) ? '\n' : ''}${line}\n`)
        await file.datasync()
        if (size === 0) await syncFolder(dirname(path))
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
        throw new Error(`${path} cannot be written: ${code}`, { cause: error })
      }
    },
  }
}

/** A disk that was full, or a machine that died, leaves part of a line: the next one must not become part of it. */
async function isTorn(file: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] !== 0x0a
}

/** A new file is there to stay once its folder is. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** To standard output, beside the log, for whoever collects that. */
export function stdoutSink(): CheckpointSink {
  return {
    ship: (_id, line) =>
      new Promise((resolve, reject) => {
        process.stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve()))
      }),
  }
}

/** As a POST by the rules of Standard Webhooks, under the id it has: whoever gets it twice knows it for one. */
export function webhookSink(webhook: Webhook): CheckpointSink {
  const never = new AbortController()
  return {
    async ship(id, line) {
      const refusal = await postWebhook(webhook, id, line, never.signal)
      if (refusal !== undefined) throw new Error(`the receiver did not take it: ${refusal}`)
    },
  }
}
