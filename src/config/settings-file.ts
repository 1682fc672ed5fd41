import { type Setting, settings } from './settings.ts'
import { parseYamlFile, type ReadFile } from './yaml-file.ts'

export interface SettingsFile {
  /** Raw values by YAML path. */
  readonly values: ReadonlyMap<string, unknown>
  readonly problems: readonly string[]
  /** False where nothing in it could be read, so that what looks missing may only be unread. */
  readonly isReadable: boolean
}

export function readSettingsFile(path: string, readFile: ReadFile): SettingsFile {
  const parsed = parseYamlFile({ path, named: `TENURE_CONFIG names ${path}`, what: 'settings' }, readFile)
  if ('problem' in parsed) return { values: new Map(), problems: [parsed.problem], isReadable: false }
  const values = new Map<string, unknown>()
  const problems: string[] = []
  collect(parsed.value, '', path, values, problems)
  return { values, problems, isReadable: true }
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
