import type { CellConfig } from './cells.ts'
import type { ListenAddress } from './listen-address.ts'
import type { logLevels } from './settings.ts'
import type { LocalKeyringConfig, SqliteConfig } from './stores.ts'

export interface TlsConfig {
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile: string | undefined
  /** PEM, as read at start. */
  readonly certificate: Buffer
  /** PEM, as read at start. Secret. */
  readonly privateKey: Buffer
  /** PEM, as read at start. Set: a client must present a certificate that comes from it. */
  readonly clientCa: Buffer | undefined
}

export interface LimitsConfig {
  readonly maxInFlightReads: number
  readonly maxInFlightWrites: number
  readonly maxDeadlineMs: number
  readonly maxTenantsInMemory: number
  readonly drainMs: number
}

/** Everything a server is told from outside, validated. Deeply frozen, but for the bytes of TLS files. */
export interface Config {
  readonly grpcAddress: ListenAddress
  readonly httpAddress: ListenAddress
  readonly database: SqliteConfig
  readonly keyring: LocalKeyringConfig
  readonly rootKeyFile: string
  /** Undefined only where it is the HTTP address and the system chooses that port: then it is httpUrlOf what is bound. */
  readonly issuer: string | undefined
  readonly audience: string
  readonly environment: string
  readonly replica: string
  readonly tls: TlsConfig | undefined
  readonly insecureListen: boolean
  readonly logLevel: (typeof logLevels)[number]
  readonly limits: LimitsConfig
  readonly cells: readonly CellConfig[]
}
