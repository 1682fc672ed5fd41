import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** Where a listener binds. An IPv6 host is written without brackets here; port 0 lets the system choose. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

const bracketed = /^\[([^\]]*)\]:(\d{1,5})$/
const plain = /^([^:[\]]+):(\d{1,5})$/
/** The last label begins with a letter, so that `0`, `127.1` and `0x7f.1`, which some resolvers read as numbers, are no names. */
const hostName = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i

/** Undefined for whatever is not `host:port`, `1.2.3.4:port` or `[v6]:port`. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const v6 = bracketed.exec(text)
  const match = v6 ?? plain.exec(text)
  const host = match?.[1]
  if (host === undefined || host.length > 253) return undefined
  const port = Number(match?.[2])
  if (port > 65_535) return undefined
  const known = v6 === null ? isIPv4(host) || hostName.test(host) : isIPv6(host)
  return known ? { host, port } : undefined
}

export function formatListenAddress({ host, port }: ListenAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** The URL of an HTTP listener without TLS; what tokens name as their issuer where no other is set. */
export function httpUrlOf(address: ListenAddress): string {
  return `http://${formatListenAddress(address)}`
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether only this machine can connect. A name other than `localhost` may resolve to anything, so it is not. */
export function isLoopbackHost(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost'
  return loopback.check(host, isIPv4(host) ? 'ipv4' : 'ipv6')
}
