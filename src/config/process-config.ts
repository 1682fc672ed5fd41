import { readFileSync } from 'node:fs'
import type { Config } from './config.ts'
import { loadConfig } from './load-config.ts'

/** The configuration of this process. Nothing else in the server looks at the environment. */
export function loadProcessConfig(): Config {
  return loadConfig({ env: process.env, readFile: (path) => readFileSync(path) })
}
