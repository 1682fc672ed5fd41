import type { CellConfig } from './cells.ts'
import type { ListenAddress } from './listen-address.ts'
import type { logLevels } from './settings.ts'
import type { StalenessByPermission } from './staleness.ts'
import type { DatabaseConfig, KeyringConfig } from './stores.ts'
import type { CheckpointSinkConfig } from './webhooks.ts'

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

/** Connections to a cell in MySQL. */
export interface DatabasePoolConfig {
  readonly readers: number
  readonly writers: number
}

/** How old what decisions are made from may be while the database cannot be read. */
export interface AccessConfig {
  readonly maxStalenessMs: number
  /** Permissions whose decisions must be fresher. */
  readonly maxStalenessByPermission: StalenessByPermission
}

export interface AlertsConfig {
  readonly url: string
  readonly secret: Uint8Array | undefined
}

/** Everything a server is told from outside, validated. Deeply frozen, but for the bytes of files. */
export interface Config {
  readonly grpcAddress: ListenAddress
  readonly httpAddress: ListenAddress
  readonly database: DatabaseConfig
  readonly databasePool: DatabasePoolConfig
  readonly keyring: KeyringConfig
  /** How long an unwrapped data key may serve; 0: for one value. */
  readonly dataKeyCacheMs: number
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
  readonly access: AccessConfig
  /** How often isolation is looked at unasked; 0: never. */
  readonly diagnosticsIntervalMs: number
  /** Where alerts go; undefined: nowhere. */
  readonly alerts: AlertsConfig | undefined
  /** Where checkpoints of the audit chains go, and what webhooks of theirs are signed with. */
  readonly auditCheckpoints: { readonly sink: CheckpointSinkConfig; readonly secret: Uint8Array | undefined }
  readonly cells: readonly CellConfig[]
}
