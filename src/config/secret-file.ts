import { isUtf8 } from 'node:buffer'
import type { NamedBytes } from './pem.ts'

const maxSecretBytes = 4096

/** What a file holds that holds one secret. `what` it should be, for the sentence that says it is not. */
export function secretIn({ name, bytes }: NamedBytes, what: string, problems: string[]): string {
  // Editors and `echo` end a file with a newline that nobody means.
  const text = bytes.toString('utf8').replace(/\r?\n$/, '')
  if (!isUtf8(bytes) || text === '' || bytes.length > maxSecretBytes || /\p{Cc}/u.test(text)) {
    problems.push(`${name} must hold ${what} and nothing else: one line, at most ${maxSecretBytes} bytes of UTF-8.`)
  }
  return text
}
