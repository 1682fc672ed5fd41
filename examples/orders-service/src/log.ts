import type { LineLogger } from 'tenure-sdk'

/** One line each to stderr. What a line is about comes first in it. */
export function createLog(write: (line: string) => void): LineLogger {
  const line =
    (level: string) =>
    (...words: readonly unknown[]) =>
      write(`orders-service: ${level} ${words.map(String).join(' ')}\n`)
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}
