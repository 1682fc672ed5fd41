import { readFileSync } from 'node:fs'
import { StartError } from '../base/start-error.ts'

export function readApiKey(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    throw new StartError(`The API key file ${file} cannot be read. Run tenure bootstrap, or name one with --key-file.`)
  }
}
