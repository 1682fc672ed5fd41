import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { postWebhook, type Webhook } from '../../observe/webhook.ts'

/** A place outside the database that checkpoints are kept at. */
export interface CheckpointSink {
  /** Resolves when it is there to stay. Rejects with a sentence where it is not; it may be there all the same. */
  ship(number: number, line: string): Promise<void>
}

/** Appended to a file, one line each, and on the disk when it resolves. Opened anew for each, so that it may be moved away. */
export function fileSink(path: string): CheckpointSink {
  return {
    async ship(_number, line) {
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await using file = await open(path, 'a', 0o600)
        await file.appendFile(`${line}\n`)
        await file.datasync()
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
        throw new Error(`${path} cannot be written: ${code}`, { cause: error })
      }
    },
  }
}

/** To standard output, beside the log, for whoever collects that. */
export function stdoutSink(): CheckpointSink {
  return {
    ship: (_number, line) =>
      new Promise((resolve, reject) => {
        process.stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve()))
      }),
  }
}

/** As a POST by the rules of Standard Webhooks, under an id of its number: whoever gets it twice knows it for one. */
export function webhookSink(webhook: Webhook): CheckpointSink {
  const never = new AbortController()
  return {
    async ship(number, line) {
      const refusal = await postWebhook(webhook, `audit-checkpoint-${number}`, line, never.signal)
      if (refusal !== undefined) throw new Error(`the receiver did not take it: ${refusal}`)
    },
  }
}
