import { readFileSync } from 'node:fs'
import { StartError } from '../base/start-error.ts'
import { openVerificationKeys, type VerificationKeys } from '../jwt/verification-keys.ts'

const fetchTimeoutMs = 10_000
const maxBytes = 16 * 1024 * 1024

/** The keys of an installation, of a file or an address of a JWK set. */
export async function readVerificationKeys(from: string): Promise<VerificationKeys> {
  const text = /^https?:\/\//.test(from) ? await fetchText(from) : readText(from, from)
  const keys = await openVerificationKeys(parsed(text))
  if (keys === undefined || keys.size === 0) {
    throw new StartError(
      `${from} is no JWK set with a key in it. Give a copy of /.well-known/jwks.json, or its address.`,
    )
  }
  return keys
}

/** `from` 0: standard input. */
export function readText(from: string | number, name: string): string {
  try {
    return readFileSync(from, 'utf8')
  } catch {
    throw new StartError(`${name} cannot be read. Name a file, or - for standard input.`)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function fetchText(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(fetchTimeoutMs) })
    if (answer.ok) return (await answer.text()).slice(0, maxBytes)
  } catch {
    // Said below.
  }
  throw new StartError(`The keys cannot be had from ${url}. Give a file, or the address of /.well-known/jwks.json.`)
}
