import { loadProcessConfig } from '../config/process-config.ts'
import { openPlatform } from '../platform.ts'
import { beginTimelinesAfterRestore } from '../restored.ts'
import { createRuntime } from '../server.ts'

/** Tells a database that it was restored. */
export async function restoredCommand(): Promise<number> {
  // Beside running servers it goes by a name of its own.
  const config = { ...loadProcessConfig(), replica: `restored-${process.pid}` }
  const runtime = createRuntime({ ...config, logLevel: 'error' })
  await using platform = await openPlatform(config, runtime)
  const count = await beginTimelinesAfterRestore(platform, runtime, showProgress)
  process.stdout.write(
    `The platform and its tenants (${count}) have begun new timelines. Revisions from before are answered REVISION_LOST.\n`,
  )
  return 0
}

const showEvery = 500

function showProgress(done: number, of: number): void {
  if (done % showEvery === 0) process.stderr.write(`${done} of ${of} tenants\n`)
}
