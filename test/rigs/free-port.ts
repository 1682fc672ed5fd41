import { once } from 'node:events'
import { createServer } from 'node:net'

const first = 20_000
const last = 31_999

/**
 * A port on loopback that nobody listens on. It lies below those the system hands out for outgoing connections, so that
 * nobody takes it by chance while the server that owns it is down.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + Math.floor(Math.random() * (last - first + 1))
    const probe = createServer().listen(port, '127.0.0.1')
    const isFree = await Promise.race([
      once(probe, 'listening').then(() => true),
      once(probe, 'error').then(() => false),
    ])
    probe.close()
    if (isFree) return port
  }
}
