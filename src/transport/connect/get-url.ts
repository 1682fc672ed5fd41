const base64Url = /^[A-Za-z0-9+/_-]*={0,2}$/

/**
 * Connect GET carries the message in the URL. connect-node answers `internal` for text that is not base64; the message is
 * then replaced by one that no parser takes, so that the caller is told that its request is malformed.
 */
export function readableGetUrl(url: string): string {
  const [path, query = ''] = url.split('?', 2)
  const parameters = new URLSearchParams(query)
  const message = parameters.get('message') ?? ''
  if (parameters.get('base64') !== '1' || (base64Url.test(message) && message.replace(/=+$/, '').length % 4 !== 1))
    return url
  parameters.set('message', '\u0001')
  parameters.delete('base64')
  return `${path}?${parameters}`
}
