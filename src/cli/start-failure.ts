import { StartError } from '../base/start-error.ts'
import { ConfigError } from '../config/config-error.ts'

/** What an operator reads when the program cannot do what it was told: sentences, never a stack, unless it is our fault. */
export function startFailure(error: unknown): string {
  if (error instanceof StartError || error instanceof ConfigError) {
    return `tenure: ${error.message}`
  }
  return `tenure: this should not have happened; please report it.\n${error instanceof Error ? error.stack : String(error)}`
}
