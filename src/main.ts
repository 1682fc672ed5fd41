import { runCli } from './cli/cli.ts'
import { startFailure } from './cli/start-failure.ts'

// Whoever reads what this prints may stop reading (`| head`); that is no reason to die in the middle of a drain.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

// The process edge: arguments in, signals and the exit code out. Everything else can run inside a test.
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second time somebody means it.
    if (stop.signal.aborted) process.exit(130)
    stop.abort()
  })
}

try {
  process.exitCode = await runCli(process.argv, stop.signal)
} catch (error) {
  process.stderr.write(`${startFailure(error)}\n`)
  process.exitCode = 1
}
