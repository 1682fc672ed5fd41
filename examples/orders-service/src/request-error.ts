const statusOfReason = {
  INVALID_REQUEST: 400,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  OUT_OF_STOCK: 409,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  INTERNAL: 500,
} as const

/** A failure whose message is sent as it is; the answer has the form the guards of the SDK give theirs. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly reason: keyof typeof statusOfReason
  readonly headers: Readonly<Record<string, string>>

  constructor(reason: keyof typeof statusOfReason, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.reason = reason
    this.headers = headers
  }

  get status(): number {
    return statusOfReason[this.reason]
  }
}

/** Unknown and foreign are one answer, so that nobody can find out which orders others have. */
export function notFound(): RequestError {
  return new RequestError('NOT_FOUND', 'There is nothing of that name in this workspace. Check the address.')
}
