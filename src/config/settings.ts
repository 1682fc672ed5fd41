import { type CellConfig, cellsSchema } from './cells.ts'
import { parseIssuer } from './issuer.ts'
import { mysqlForm } from './mysql-url.ts'
import {
  addressType,
  booleanType,
  choiceType,
  fileType,
  integerType,
  parsedType,
  patternType,
  type SettingType,
  textType,
} from './setting-types.ts'
import { maxStalenessMs, type StalenessByPermission, stalenessByPermissionSchema } from './staleness.ts'
import { parseDatabaseUrl, parseKeyringUrl } from './stores.ts'
import { parseVaultAddress } from './vault-address.ts'
import { parseCheckpointSink, parseWebhookSecret, parseWebhookUrl } from './webhooks.ts'

/** One row of the table that reading, validation and documentation share. */
export interface Setting<Value> {
  /** Unset: YAML only. */
  readonly variable?: string
  /** Keys from the top of the YAML file, joined by dots. Unset: environment only. */
  readonly yamlPath?: string
  readonly type: SettingType<Value>
  /** The raw value that stands in for a missing one. */
  readonly fallback?: unknown
  /** What the documentation shows where there is no fallback. */
  readonly fallbackText?: string
  readonly description: string
  readonly isSecret?: true
}

function setting<Value>(
  variable: string | undefined,
  yamlPath: string | undefined,
  type: SettingType<Value>,
  rest: Omit<Setting<Value>, 'variable' | 'yamlPath' | 'type'>,
): Setting<Value> {
  return { ...(variable && { variable }), ...(yamlPath && { yamlPath }), type, ...rest }
}

const databaseType = parsedType(
  `sqlite:<file> or ${mysqlForm}`.replaceAll(/[<>]/g, (bracket) => `\\${bracket}`),
  parseDatabaseUrl,
)

const keyringType = parsedType('local:\\<folder\\> or vault:\\<mount\\>', parseKeyringUrl)

const namespaceType = patternType(
  /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*\/?$/,
  'names of A-Z, a-z, 0-9, _ and - joined by /',
)

const cellsType: SettingType<readonly CellConfig[]> = {
  label: 'list of {id, region}',
  fromText: (text) => text,
  schema: cellsSchema,
}

const stalenessType: SettingType<StalenessByPermission> = {
  label: 'map of permission to milliseconds',
  fromText: (text) => text,
  schema: stalenessByPermissionSchema,
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/** Every setting there is. The order is that of the documentation. */
export const settings = {
  configFile: setting('TENURE_CONFIG', undefined, fileType, {
    description: 'One YAML file of settings. A variable of the environment wins over it.',
  }),
  grpcAddress: setting('TENURE_GRPC_ADDRESS', 'grpc.address', addressType, {
    fallback: '127.0.0.1:7080',
    description: 'Where native gRPC listens. Port 0 lets the system choose.',
  }),
  httpAddress: setting('TENURE_HTTP_ADDRESS', 'http.address', addressType, {
    fallback: '127.0.0.1:7081',
    description: 'Where Connect, gRPC-Web, JSON, `/metrics` and health listen. Port 0 lets the system choose.',
  }),
  database: setting('TENURE_DATABASE_URL', 'database.url', databaseType, {
    fallback: 'sqlite:.tenure/tenure.db',
    description: 'The database. docs/settings.md says how a user, a password and the options are written.',
    isSecret: true,
  }),
  databaseReaders: setting('TENURE_DATABASE_READERS', 'database.readers', integerType(1, 1000), {
    fallback: 8,
    description: 'Connections to a cell in MySQL that read at once.',
  }),
  databaseWriters: setting('TENURE_DATABASE_WRITERS', 'database.writers', integerType(1, 1000), {
    fallback: 16,
    description: 'Connections to a cell in MySQL that write at once.',
  }),
  keyring: setting('TENURE_KEYRING', 'keyring', keyringType, {
    fallback: 'local:.tenure/keyring',
    description: 'Where the keys live that everything sealed depends on. Back it up apart from the database.',
  }),
  dataKeyCacheMs: setting('TENURE_DATA_KEY_CACHE_MS', 'dataKeys.cacheMs', integerType(0, 3_600_000), {
    fallback: 300_000,
    description:
      'How long a data key the keyring has unwrapped opens values without asking again, also while the keyring is away. It ends sooner while the database cannot be followed.',
  }),
  vaultAddress: setting('VAULT_ADDR', 'vault.addr', parsedType('URL', parseVaultAddress), {
    description: 'The Vault or OpenBao that `vault:` names a mount of.',
  }),
  vaultNamespace: setting('VAULT_NAMESPACE', 'vault.namespace', namespaceType, {
    description: 'The namespace in it that the login and the mount are in.',
  }),
  vaultCaFile: setting('VAULT_CACERT', 'vault.caCert', fileType, {
    description:
      'PEM certificates of the authorities its certificate must come from. Without it, those this machine trusts.',
  }),
  vaultToken: setting('VAULT_TOKEN', 'vault.token', textType, {
    description: 'A token to log in with.',
    isSecret: true,
  }),
  vaultTokenFile: setting('VAULT_TOKEN_FILE', 'vault.tokenFile', fileType, {
    description: 'A file that holds such a token and nothing else, read at start.',
  }),
  vaultRoleId: setting('VAULT_ROLE_ID', 'vault.roleId', textType, {
    description: 'The role of an AppRole login, in the place of a token.',
  }),
  vaultSecretId: setting('VAULT_SECRET_ID', 'vault.secretId', textType, {
    description: 'The secret id that goes with the role.',
    isSecret: true,
  }),
  vaultSecretIdFile: setting('VAULT_SECRET_ID_FILE', 'vault.secretIdFile', fileType, {
    description: 'A file that holds the secret id and nothing else, read at start.',
  }),
  insecureVault: setting('TENURE_INSECURE_VAULT', 'insecureVault', booleanType, {
    fallback: false,
    description: 'Allows a Vault beyond loopback without TLS, for those who encrypt the network below.',
  }),
  rootKeyFile: setting('TENURE_ROOT_KEY_FILE', 'rootKeyFile', fileType, {
    fallback: '.tenure/root-api-key',
    description: 'Where `tenure bootstrap` writes the root API key, readable by its owner only.',
  }),
  issuer: setting('TENURE_ISSUER', 'issuer', parsedType('URL', parseIssuer), {
    fallbackText: 'the HTTP address, where that is loopback without TLS; else required',
    description: 'Who tokens of this installation say they come from.',
  }),
  audience: setting('TENURE_AUDIENCE', 'audience', textType, {
    fallback: 'tenure',
    description: 'What a token must name as its audience to be accepted by Tenure itself. Never empty.',
  }),
  environment: setting(
    'TENURE_ENVIRONMENT',
    'environment',
    patternType(/^[a-z][a-z0-9]{0,15}$/, 'a letter a-z and up to 15 more of a-z and 0-9'),
    {
      fallback: 'dev',
      description: 'Part of every API key, so that a key of one installation is told from one of another at sight.',
    },
  ),
  replica: setting(
    'TENURE_REPLICA',
    'replica',
    patternType(/^[a-z0-9-]{1,40}$/, '1 to 40 characters of a-z, 0-9 and -'),
    { fallback: 'replica-1', description: 'Name of this server in the access chains it writes. One per server.' },
  ),
  tlsCertFile: setting('TENURE_TLS_CERT_FILE', 'tls.certFile', fileType, {
    description: 'PEM certificate chain of both listeners. Goes with the key file.',
  }),
  tlsKeyFile: setting('TENURE_TLS_KEY_FILE', 'tls.keyFile', fileType, {
    description: 'PEM private key of the certificate.',
  }),
  tlsClientCaFile: setting('TENURE_TLS_CLIENT_CA_FILE', 'tls.clientCaFile', fileType, {
    description:
      'PEM certificates of the authorities that client certificates must come from. Needs the certificate and key.',
  }),
  insecureListen: setting('TENURE_INSECURE_LISTEN', 'insecureListen', booleanType, {
    fallback: false,
    description: 'Allows listening beyond loopback without TLS, for those who end TLS in front of it.',
  }),
  logLevel: setting('TENURE_LOG_LEVEL', 'log.level', choiceType(logLevels), {
    fallback: 'info',
    description: 'The least severe lines that are logged.',
  }),
  maxInFlightReads: setting('TENURE_MAX_IN_FLIGHT_READS', 'limits.maxInFlightReads', integerType(1, 1_000_000), {
    fallback: 2048,
    description: 'Reads and checks that run at once; more are refused with OVERLOADED.',
  }),
  maxInFlightWrites: setting('TENURE_MAX_IN_FLIGHT_WRITES', 'limits.maxInFlightWrites', integerType(1, 1_000_000), {
    fallback: 256,
    description: 'Writes that run at once; more are refused with OVERLOADED.',
  }),
  maxDeadlineMs: setting('TENURE_MAX_DEADLINE_MS', 'limits.maxDeadlineMs', integerType(100, 3_600_000), {
    fallback: 30_000,
    description: 'The longest a call may take, whatever its client asks for.',
  }),
  maxTenantsInMemory: setting('TENURE_MAX_TENANTS_IN_MEMORY', 'limits.maxTenantsInMemory', integerType(1, 10_000_000), {
    fallback: 10_000,
    description: 'Tenants whose access snapshot is kept in memory.',
  }),
  drainMs: setting('TENURE_DRAIN_MS', 'limits.drainMs', integerType(0, 600_000), {
    fallback: 10_000,
    description: 'How long calls under way may go on once the server is told to stop.',
  }),
  maxStalenessMs: setting('TENURE_MAX_STALENESS_MS', 'access.maxStalenessMs', integerType(1000, maxStalenessMs), {
    fallback: 30_000,
    description:
      'How old what decisions are made from may be while the database cannot be read; then UNAVAILABLE, reason STALE.',
  }),
  maxStalenessByPermission: setting(undefined, 'access.maxStalenessByPermission', stalenessType, {
    fallback: {},
    description:
      'Permissions whose decisions must be fresher than that, 0 to 86400000 each; less than 1000 counts as 1000.',
  }),
  diagnosticsIntervalMs: setting(
    'TENURE_DIAGNOSTICS_INTERVAL_MS',
    'diagnostics.intervalMs',
    integerType(0, 30 * 24 * 3_600_000),
    {
      fallback: 3_600_000,
      description:
        'How often one of the servers looks for what could let one tenant reach another; 0: only when asked.',
    },
  ),
  alertUrl: setting('TENURE_ALERT_URL', 'alerts.url', parsedType('URL', parseWebhookUrl), {
    description:
      'Where alerts are sent as Standard Webhooks: a refused statement, a forged row, a failed look at isolation, an audit chain that was rewritten or begins anew.',
  }),
  alertSecret: setting('TENURE_ALERT_SECRET', 'alerts.secret', parsedType('whsec_…', parseWebhookSecret), {
    description: 'What alerts are signed with. Without it they are not signed.',
    isSecret: true,
  }),
  auditCheckpoints: setting(
    'TENURE_AUDIT_CHECKPOINTS',
    'audit.checkpoints',
    parsedType('file:\\<file\\>, stdout, https URL or none', parseCheckpointSink),
    {
      fallback: 'file:.tenure/audit-checkpoints.jsonl',
      description:
        'Where signed checkpoints of every audit chain go, within ten seconds of each change. Let it be a place that whoever administers the database cannot write to.',
    },
  ),
  auditCheckpointSecret: setting(
    'TENURE_AUDIT_CHECKPOINT_SECRET',
    'audit.checkpointSecret',
    parsedType('whsec_…', parseWebhookSecret),
    {
      description:
        'What checkpoints that go to a URL are signed with as webhooks. Their own signature they have anyway.',
      isSecret: true,
    },
  ),
  cells: setting(undefined, 'cells', cellsType, {
    fallback: [{ id: 'local', region: 'local' }],
    description: 'The cell tenants are placed in, and its region. One, so far.',
  }),
} as const

export type SettingName = keyof typeof settings

export const settingNames = Object.keys(settings) as readonly SettingName[]

type ValueOf<Entry> = Entry extends Setting<infer Value> ? Value : never

/** What was read, by name of setting; a setting without a value is left out. */
export type SettingValues = { readonly [Name in SettingName]?: ValueOf<(typeof settings)[Name]> }
