/**
 * The address of a server whose answers are relied on, or that is sent a key. Plain http is for this machine alone: on
 * the way from another one, anybody could answer, and anybody could read along.
 */
export function serviceUrlFrom(what: string, value: unknown, allowInsecure: boolean): URL {
  const text = value instanceof URL ? value.href : value
  if (typeof text !== 'string' || text.trim() === '') throw new TypeError(`${what} is missing`)
  if (!URL.canParse(text)) throw new TypeError(`${what} is no URL`)
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (allowInsecure || isLoopback(url)))) {
    throw new TypeError(`${what} has to be https; http is for this machine alone`)
  }
  if (url.username !== '' || url.password !== '') throw new TypeError(`${what} has a user name in it`)
  return url
}

/** As the URL parser writes them: it turns every other spelling of these addresses into one of them. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
