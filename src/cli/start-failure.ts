import { ConfigError } from '../config/config-error.ts'
import { KeyringError } from '../keyring/keyring-error.ts'
import { StartError } from '../storage/sqlite/sqlite-file.ts'

/** What an operator reads when the program cannot do what it was told: sentences, never a stack, unless it is our fault. */
export function startFailure(error: unknown): string {
  if (error instanceof StartError || error instanceof ConfigError || error instanceof KeyringError) {
    return `tenure: ${error.message}`
  }
  return `tenure: this should not have happened; please report it.\n${error instanceof Error ? error.stack : String(error)}`
}
