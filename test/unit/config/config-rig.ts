import type { Config } from '../../../src/config/config.ts'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfig } from '../../../src/config/load-config.ts'

export type Files = Readonly<Record<string, string | Uint8Array>>

export function load(env: Readonly<Record<string, string>> = {}, files: Files = {}): Config {
  return loadConfig({ env, readFile: (path) => readFrom(files, path) })
}

/** The configuration a YAML file gives, alone or under an environment. */
export function loadYaml(yaml: string, env: Readonly<Record<string, string>> = {}): Config {
  return load({ ...env, TENURE_CONFIG: 'tenure.yaml' }, { 'tenure.yaml': yaml })
}

export function problemsOf(act: () => unknown): readonly string[] {
  try {
    act()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error('the configuration was accepted')
}

function readFrom(files: Files, path: string): Uint8Array {
  const content = files[path]
  if (content === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
  return Buffer.from(content)
}
