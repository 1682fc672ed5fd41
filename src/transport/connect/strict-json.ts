import { Code, ConnectError } from '@connectrpc/connect'

// Any escape of a surrogate; only texts that have one are looked through for a lone one.
const surrogateEscape = /\\u[dD][89a-fA-F]/

/**
 * The text decoder connect-node reads JSON bodies with. The platform's default replaces invalid UTF-8, and JSON may spell
 * a lone surrogate that no UTF-8 can carry: either would store another text than was sent, and two names that look
 * different to a client would become one.
 */
export class StrictJsonDecoder extends TextDecoder {
  constructor() {
    super('utf-8', { fatal: true })
  }

  override decode(bytes?: AllowSharedBuffer): string {
    let text: string
    try {
      text = super.decode(bytes)
    } catch {
      throw new ConnectError('the body is not UTF-8', Code.InvalidArgument)
    }
    if (surrogateEscape.test(text) && !isWellFormedJson(text)) {
      throw new ConnectError('the body has an ill-formed string', Code.InvalidArgument)
    }
    return text
  }
}

/** Walks without recursion: the nesting is the client's choice. Text that is no JSON at all is left to the parser. */
function isWellFormedJson(text: string): boolean {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    return true
  }
  const pending: unknown[] = [root]
  while (pending.length > 0) {
    const value = pending.pop()
    if (typeof value === 'string' && !value.isWellFormed()) return false
    if (typeof value !== 'object' || value === null) continue
    for (const [key, item] of Object.entries(value)) pending.push(key, item)
  }
  return true
}
