import { parseDocument } from 'yaml'
import { type Setting, settings } from './settings.ts'

/** Reads a whole file at once; throws what node:fs throws. */
export type ReadFile = (path: string) => Uint8Array

export interface SettingsFile {
  /** Raw values by YAML path. */
  readonly values: ReadonlyMap<string, unknown>
  readonly problems: readonly string[]
  /** False where nothing in it could be read, so that what looks missing may only be unread. */
  readonly isReadable: boolean
}

const maxFileBytes = 1024 * 1024

export function readSettingsFile(path: string, readFile: ReadFile): SettingsFile {
  const parsed = parseFile(path, readFile)
  if ('problem' in parsed) return { values: new Map(), problems: [parsed.problem], isReadable: false }
  const values = new Map<string, unknown>()
  const problems: string[] = []
  collect(parsed.value, '', path, values, problems)
  return { values, problems, isReadable: true }
}

/** Text of the parser is not passed on: it shows lines of the file, which may hold a secret. */
function parseFile(path: string, readFile: ReadFile): { readonly value: unknown } | { readonly problem: string } {
  let text: string
  try {
    const bytes = readFile(path)
    if (bytes.length > maxFileBytes) {
      return { problem: `TENURE_CONFIG names ${path}, which has more than 1 MiB; name a file of settings.` }
    }
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return { problem: `TENURE_CONFIG names ${path}, which cannot be read (${why}); mend the path or its permissions.` }
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

/** Walks groups down to settings. What is neither is a problem: a misspelt setting must not silently keep its default. */
function collect(node: unknown, prefix: string, file: string, values: Map<string, unknown>, problems: string[]): void {
  if (node === null && prefix === '') return
  if (typeof node !== 'object' || node === null || Array.isArray(node)) {
    const what = prefix === '' ? file : `${prefix} in ${file}`
    problems.push(`${what} must be a group of settings, each as name: value; mend it.`)
    return
  }
  for (const [key, value] of Object.entries(node)) {
    const path = prefix === '' ? key : `${prefix}.${key}`
    if (key.includes('.')) problems.push(unknownSetting(path, file))
    else if (settingPaths.has(path)) values.set(path, value)
    else if (groupPaths.has(path)) collect(value, path, file, values, problems)
    else problems.push(unknownSetting(path, file))
  }
}

function unknownSetting(path: string, file: string): string {
  return `${path} in ${file} is not a setting; correct its name or remove it (docs/settings.md lists them all).`
}

const settingPaths: ReadonlySet<string> = new Set(
  Object.values<Setting<unknown>>(settings).flatMap(({ yamlPath }) => yamlPath ?? []),
)
const groupPaths: ReadonlySet<string> = new Set(
  [...settingPaths].filter((path) => path.includes('.')).map((path) => path.slice(0, path.lastIndexOf('.'))),
)
