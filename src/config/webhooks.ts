import { isLoopbackHost } from './listen-address.ts'
import type { Accepted } from './setting-types.ts'

/** Messages say what happens where: on a foreign network only under TLS. */
export function parseWebhookUrl(text: string): Accepted<string> {
  const problem = 'must be an https:// URL without user name, or an http:// one on loopback'
  if (!URL.canParse(text)) return { problem }
  const url = new URL(text)
  const own = url.protocol === 'http:' && isLoopbackHost(url.hostname.replace(/^\[|\]$/g, ''))
  if ((url.protocol !== 'https:' && !own) || url.username !== '' || url.password !== '') return { problem }
  return { value: text }
}

/** `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks write it. */
export function parseWebhookSecret(text: string): Accepted<Uint8Array> {
  const bytes = Buffer.from(/^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1] ?? '', 'base64')
  if (bytes.length < 24 || bytes.length > 64) return { problem: 'must be whsec_ and 24 to 64 bytes in base64' }
  return { value: bytes }
}

export type CheckpointSinkConfig =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdout' }
  | { readonly kind: 'webhook'; readonly url: string }
  | { readonly kind: 'none' }

/** Where audit checkpoints go: a file, standard output, a receiver of webhooks, or nowhere. */
export function parseCheckpointSink(text: string): Accepted<CheckpointSinkConfig> {
  if (text === 'stdout' || text === 'none') return { value: { kind: text } }
  const path = /^file:(?!\/\/)(.+)$/.exec(text)?.[1]
  if (path !== undefined) return { value: { kind: 'file', path } }
  const url = parseWebhookUrl(text)
  if ('value' in url) return { value: { kind: 'webhook', url: url.value } }
  return {
    problem:
      'must be file:<file>, for example file:.tenure/audit-checkpoints.jsonl, or stdout, an https:// URL, an http:// one on loopback, or none',
  }
}
