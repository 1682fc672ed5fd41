import { isLoopbackHost } from './listen-address.ts'
import type { Accepted } from './setting-types.ts'

/** Alerts say what is wrong where: on a foreign network only under TLS. */
export function parseAlertUrl(text: string): Accepted<string> {
  const problem = 'must be an https:// URL without user name, or an http:// one on loopback'
  if (!URL.canParse(text)) return { problem }
  const url = new URL(text)
  const own = url.protocol === 'http:' && isLoopbackHost(url.hostname.replace(/^\[|\]$/g, ''))
  if ((url.protocol !== 'https:' && !own) || url.username !== '' || url.password !== '') return { problem }
  return { value: text }
}

/** `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks write it. */
export function parseAlertSecret(text: string): Accepted<Uint8Array> {
  const bytes = Buffer.from(/^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1] ?? '', 'base64')
  if (bytes.length < 24 || bytes.length > 64) return { problem: 'must be whsec_ and 24 to 64 bytes in base64' }
  return { value: bytes }
}
