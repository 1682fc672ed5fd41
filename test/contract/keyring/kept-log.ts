import { createLog, type Log } from '../../../src/observe/log.ts'

export interface KeptLog {
  readonly log: Log
  /** What was written, one JSON object per line. */
  text(): string
}

export function createKeptLog(): KeptLog {
  let text = ''
  const destination = {
    write(line: string) {
      text += line
    },
  }
  return { log: createLog({ level: 'debug', destination }), text: () => text }
}
