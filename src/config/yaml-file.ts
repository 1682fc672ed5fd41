import { parseDocument } from 'yaml'

/** Reads a whole file at once; throws what node:fs throws. */
export type ReadFile = (path: string) => Uint8Array

export interface YamlFile {
  readonly path: string
  /** Who says that it is to be read: `TENURE_CONFIG names tenure.yaml`. */
  readonly named: string
  /** What should be in it, in one word. */
  readonly what: string
}

const maxFileBytes = 1024 * 1024

/**
 * What is in a file of YAML, and so of JSON. Text of the parser is not passed on: it shows lines of the file, which may
 * hold a secret.
 */
export function parseYamlFile(
  { path, named, what }: YamlFile,
  readFile: ReadFile,
): { readonly value: unknown } | { readonly problem: string } {
  let text: string
  try {
    const bytes = readFile(path)
    if (bytes.length > maxFileBytes) {
      return { problem: `${named}, which has more than 1 MiB; name a file of ${what}.` }
    }
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return { problem: `${named}, which cannot be read (${why}); mend the path or its permissions.` }
  }
  const document = parseDocument(text, { uniqueKeys: true, logLevel: 'error' })
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault !== undefined) {
    const at = fault.linePos === undefined ? '' : ` at line ${fault.linePos[0].line}, column ${fault.linePos[0].col}`
    return { problem: `${path} is not valid YAML${at} (${fault.code}); mend it.` }
  }
  try {
    return { value: document.toJS() }
  } catch {
    return { problem: `${path} is not valid YAML (its aliases cannot be resolved); mend it.` }
  }
}
