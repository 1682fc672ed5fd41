import { existsSync } from 'node:fs'
import { StartError } from '../base/start-error.ts'
import { bootstrapRootKey } from '../bootstrap.ts'
import { loadProcessConfig } from '../config/process-config.ts'
import { openPlatform } from '../platform.ts'
import { createRuntime } from '../server.ts'

/** Mints the root key once. A second run finds it and changes nothing. */
export async function bootstrapCommand(): Promise<number> {
  // Beside running servers it goes by a name of its own.
  const config = { ...loadProcessConfig(), replica: `bootstrap-${process.pid}` }
  // Somebody reads along: only what is wrong is worth a line beside the sentences below.
  const runtime = createRuntime({ ...config, logLevel: 'error' })
  await using platform = await openPlatform(config, runtime)
  const made = await bootstrapRootKey(platform, runtime, config)
  if (made) {
    process.stdout.write(`The root API key is in ${config.rootKeyFile}, readable by you alone. Keep it safe.\n`)
    return 0
  }
  if (existsSync(config.rootKeyFile)) {
    process.stdout.write(`The root API key was made before; it is in ${config.rootKeyFile}.\n`)
    return 0
  }
  throw new StartError(
    `The root API key was made before, and ${config.rootKeyFile} is not there. It cannot be shown again: put the file back, or begin with an empty database.`,
  )
}
