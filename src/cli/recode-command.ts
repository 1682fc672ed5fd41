import { loadProcessConfig } from '../config/process-config.ts'
import { openPlatform } from '../platform.ts'
import { createRuntime } from '../server.ts'

/** Makes a new key for the codes of rows, and the codes of all of them, where the old key is gone. */
export async function recodeCommand(): Promise<number> {
  const config = { ...loadProcessConfig(), replica: `recode-${process.pid}` }
  const runtime = createRuntime({ ...config, logLevel: 'error' })
  await using platform = await openPlatform(config, runtime, { recode: true })
  process.stdout.write(
    platform.recodedRows === undefined
      ? 'The key of the codes is there. Nothing was changed.\n'
      : `${platform.recodedRows} rows that grant power have new codes. Restart every server: one that still runs has the old key.\n`,
  )
  return 0
}
