import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** Every open connection and HTTP/2 session, so that a shutdown can ask them to end and cut those that do not. */
export class TrackedConnections {
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()
  #onEmpty: (() => void) | undefined

  addSocket(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (this.#sockets.size === 0) this.#onEmpty?.()
    })
  }

  /** For once no new connections are taken. */
  allClosed(): Promise<void> {
    if (this.#sockets.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onEmpty = resolve
    })
  }

  addSession(session: ServerHttp2Session): void {
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
  }

  /** GOAWAY: streams that run may finish, no new ones begin. */
  closeSessions(): void {
    for (const session of this.#sessions) session.close()
  }

  destroyAll(): void {
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
  }
}
