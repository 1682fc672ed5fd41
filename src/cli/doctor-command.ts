import { StartError } from '../base/start-error.ts'
import { loadProcessConfig } from '../config/process-config.ts'
import { examine } from '../doctor.ts'
import type { Examined } from '../doctor-finding.ts'
import { createRuntime } from '../server.ts'

const colours: Readonly<Record<Examined['state'], number>> = { ok: 32, warning: 33, failed: 31 }

/** Prints how each part of the installation is. Answers 1 where one has failed. */
export async function doctorCommand(output: string): Promise<number> {
  if (output !== 'text' && output !== 'json') throw new StartError('The output is text or json.')
  const config = loadProcessConfig()
  // What is wrong is said below, once.
  const examined = await examine(config, createRuntime({ ...config, logLevel: 'fatal' }))
  process.stdout.write(output === 'json' ? `${JSON.stringify(examined)}\n` : asText(examined))
  return examined.some(({ state }) => state === 'failed') ? 1 : 0
}

function asText(examined: readonly Examined[]): string {
  const isTerminal = process.stdout.isTTY === true
  const coloured = (state: Examined['state']) => {
    const padded = state.padEnd(7)
    return isTerminal ? `\u001b[${colours[state]}m${padded}\u001b[0m` : padded
  }
  return examined.map(({ part, state, text }) => `${part.padEnd(8)}  ${coloured(state)}  ${text}\n`).join('')
}
