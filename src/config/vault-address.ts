import { isLoopbackHost } from './listen-address.ts'
import type { Accepted } from './setting-types.ts'

/** Sentences never repeat a part of the text: it may hold a password. */
export function parseVaultAddress(text: string): Accepted<string> {
  const problem = 'must be http:// or https://, a host and perhaps a port, and nothing after it'
  if (!URL.canParse(text)) return { problem }
  const url = new URL(text)
  const isBare =
    url.username === '' && url.password === '' && url.pathname === '/' && url.search === '' && url.hash === ''
  if (!['http:', 'https:'].includes(url.protocol) || !isBare) return { problem }
  return { value: url.origin }
}

/** Whether somebody on the way could read what is said to it: tokens and data keys. */
export function isCleartextVault(address: string): boolean {
  const url = new URL(address)
  return url.protocol === 'http:' && !isLoopbackHost(url.hostname.replace(/^\[|\]$/g, ''))
}
