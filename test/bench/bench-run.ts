import { parseArgs } from 'node:util'

/** `-o json` or `-o table`, and whole numbers by name; `defaults` names them. */
export function readOptions<Name extends string>(
  defaults: Readonly<Record<Name, number>>,
): { readonly json: boolean; readonly numbers: Readonly<Record<Name, number>> } {
  const names = Object.keys(defaults) as Name[]
  const { values } = parseArgs({
    options: {
      output: { type: 'string', short: 'o', default: 'table' },
      ...Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
    },
  }) as { values: Record<string, string | undefined> }
  if (values.output !== 'json' && values.output !== 'table') throw new Error('-o takes json or table')
  const numbers = Object.fromEntries(names.map((name) => [name, numberFrom(name, values[name], defaults[name])]))
  return { json: values.output === 'json', numbers: numbers as Record<Name, number> }
}

function numberFrom(name: string, text: string | undefined, byDefault: number): number {
  if (text === undefined) return byDefault
  if (!/^\d+$/.test(text)) throw new Error(`--${name} takes a whole number`)
  return Number(text)
}

/** Ends what was started for it when it is told to stop in its midst. */
export function disposeOnSignal(started: AsyncDisposable): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void started[Symbol.asyncDispose]().then(() => process.exit(130)))
  }
}
