import type { Config } from './config.ts'
import { ConfigError } from './config-error.ts'
import { contradictions } from './contradictions.ts'
import { readDatabaseFiles } from './database-files.ts'
import { httpUrlOf } from './listen-address.ts'
import { type Setting, type SettingName, type SettingValues, settingNames, settings } from './settings.ts'
import { readSettingsFile, type SettingsFile } from './settings-file.ts'
import { readTlsFiles, tlsSettings } from './tls-files.ts'
import { readVault, vaultSettings } from './vault-settings.ts'
import type { ReadFile } from './yaml-file.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface LoadConfigOptions {
  readonly env: Environment
  readonly readFile: ReadFile
}

/**
 * Validates the environment and the one YAML file together; the environment wins. Throws a ConfigError that names every
 * problem at once: whoever mends a start-up should not have to try once per mistake.
 */
export function loadConfig({ env, readFile }: LoadConfigOptions): Config {
  const problems = unknownVariables(env)
  const path = readConfigPath(env, problems)
  const file = path === undefined ? noFile : readSettingsFile(path, readFile)
  problems.push(...file.problems)
  const { values, refused } = readValues(env, file, path ?? '', problems)
  const isKnown = (...names: SettingName[]) => file.isReadable && names.every((name) => !refused.has(name))
  const { tls, problems: tlsProblems } = isKnown(...tlsSettings) ? readTlsFiles(values, readFile) : noTls
  const { database, problems: databaseProblems } =
    values.database === undefined ? noDatabase : readDatabaseFiles(values.database, readFile)
  const { keyring, problems: keyringProblems } = isKnown(...vaultSettings) ? readVault(values, readFile) : noKeyring
  problems.push(...tlsProblems, ...databaseProblems, ...keyringProblems, ...contradictions(values, isKnown))
  if (problems.length > 0 || !isWhole(values) || database === undefined || keyring === undefined) {
    throw new ConfigError(problems)
  }
  return deepFreeze(configFrom(values, { database, tls, keyring }))
}

const noFile: SettingsFile = { values: new Map(), problems: [], isReadable: true }
const noTls = { tls: undefined, problems: [] }
const noDatabase = { database: undefined, problems: [] }
const noKeyring = { keyring: undefined, problems: [] }

/** Kubernetes sets these in every pod beside a service named `tenure` or `tenure-…`; they are nobody's setting. */
const serviceLink =
  /^TENURE_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)$/
const serviceUrl = /^(?:tcp|udp|sctp):\/\//

function unknownVariables(env: Environment): string[] {
  const known = new Set(Object.values<Setting<unknown>>(settings).map((setting) => setting.variable))
  return Object.entries(env)
    .filter(([name, value]) => {
      if (!name.startsWith('TENURE_') || value === undefined || known.has(name)) return false
      return !serviceLink.test(name) && !(name.endsWith('_PORT') && serviceUrl.test(value))
    })
    .map(([name]) => `${name} is not a setting; correct its name or unset it (docs/settings.md lists them all).`)
}

function readConfigPath(env: Environment, problems: string[]): string | undefined {
  const path = env.TENURE_CONFIG
  if (path !== '') return path
  problems.push('TENURE_CONFIG is empty; name a YAML file or unset it.')
  return undefined
}

interface ReadValues {
  readonly values: SettingValues
  /** Settings somebody set to what cannot be accepted. */
  readonly refused: ReadonlySet<SettingName>
}

function readValues(env: Environment, file: SettingsFile, path: string, problems: string[]): ReadValues {
  const values: Partial<Record<SettingName, unknown>> = {}
  const refused = new Set<SettingName>()
  for (const name of settingNames) {
    if (name === 'configFile') continue
    const setting: Setting<unknown> = settings[name]
    const source = sourceOf(setting, isMeant(setting, values) ? env : {}, file, path)
    if (source.raw === undefined) continue
    const result = setting.type.schema.safeParse(source.raw)
    if (result.success) {
      values[name] = result.data
      continue
    }
    refused.add(name)
    problems.push(
      ...result.error.issues.map((issue) => `${source.name}${placeOf(issue.path)}${source.where} ${issue.message}.`),
    )
  }
  // Each value has just passed the schema of its own setting.
  return { values: values as SettingValues, refused }
}

/**
 * Variables without our prefix are for everything that asks Vault; they are ours where the keyring is there, which is read
 * before them.
 */
function isMeant({ variable }: Setting<unknown>, { keyring }: { readonly keyring?: unknown }): boolean {
  const isOurs = variable === undefined || variable.startsWith('TENURE_')
  return isOurs || (typeof keyring === 'object' && keyring !== null && 'mount' in keyring)
}

function sourceOf(setting: Setting<unknown>, env: Environment, file: SettingsFile, path: string) {
  const { variable, yamlPath, fallback, type } = setting
  const text = variable === undefined ? undefined : env[variable]
  if (variable !== undefined && text !== undefined) return { raw: type.fromText(text), name: variable, where: '' }
  if (yamlPath !== undefined && file.values.has(yamlPath)) {
    // A key without a value is null: it says that somebody meant to set something.
    return { raw: file.values.get(yamlPath) ?? '', name: yamlPath, where: ` in ${path}` }
  }
  return { raw: fallback, name: variable ?? yamlPath ?? '', where: '' }
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
}

type Optional = { [Name in SettingName]: 'fallback' extends keyof (typeof settings)[Name] ? never : Name }[SettingName]
type WholeValues = Required<Omit<SettingValues, Optional>> & Pick<SettingValues, Optional>

function isWhole(values: SettingValues): values is WholeValues {
  return settingNames.every((name) => !('fallback' in settings[name]) || values[name] !== undefined)
}

/** What is more than its settings say: files were read for it. */
type FromFiles = Pick<Config, 'database' | 'tls' | 'keyring'>

function configFrom(values: WholeValues, { database, tls, keyring }: FromFiles): Config {
  const { httpAddress } = values
  return {
    grpcAddress: values.grpcAddress,
    httpAddress,
    database,
    databasePool: { readers: values.databaseReaders, writers: values.databaseWriters },
    keyring,
    dataKeyCacheMs: values.dataKeyCacheMs,
    rootKeyFile: values.rootKeyFile,
    issuer: values.issuer ?? (httpAddress.port === 0 ? undefined : httpUrlOf(httpAddress)),
    audience: values.audience,
    environment: values.environment,
    replica: values.replica,
    tls,
    insecureListen: values.insecureListen,
    logLevel: values.logLevel,
    limits: {
      maxInFlightReads: values.maxInFlightReads,
      maxInFlightWrites: values.maxInFlightWrites,
      maxDeadlineMs: values.maxDeadlineMs,
      maxTenantsInMemory: values.maxTenantsInMemory,
      drainMs: values.drainMs,
    },
    access: {
      maxStalenessMs: values.maxStalenessMs,
      maxStalenessByPermission: values.maxStalenessByPermission,
    },
    diagnosticsIntervalMs: values.diagnosticsIntervalMs,
    alerts: values.alertUrl === undefined ? undefined : { url: values.alertUrl, secret: values.alertSecret },
    auditCheckpoints: { sink: values.auditCheckpoints, secret: values.auditCheckpointSecret },
    cells: values.cells,
  }
}

function deepFreeze<T>(value: T): T {
  // Bytes cannot be frozen.
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const child of Object.values(value)) deepFreeze(child)
  return Object.freeze(value)
}
