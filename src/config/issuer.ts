import { isLoopbackHost } from './listen-address.ts'
import type { Accepted } from './setting-types.ts'

/**
 * Verifiers compare issuers as text and build discovery addresses from them, so what URL parsers would quietly change
 * (a query, a fragment, a trailing slash, capitals in the host) is refused instead.
 */
export function parseIssuer(text: string): Accepted<string> {
  const problem = 'must be an http:// or https:// URL without query, fragment, user name or trailing slash'
  if (!URL.canParse(text)) return { problem }
  const url = new URL(text)
  const bare = url.pathname === '/' ? url.origin : `${url.origin}${url.pathname}`
  if (!['http:', 'https:'].includes(url.protocol) || bare !== text || text.endsWith('/')) return { problem }
  return { value: text }
}

/** Whether keys fetched from this issuer could be replaced on their way. */
export function isCleartextIssuer(issuer: string): boolean {
  const url = new URL(issuer)
  return url.protocol === 'http:' && !isLoopbackHost(url.hostname.replace(/^\[|\]$/g, ''))
}
