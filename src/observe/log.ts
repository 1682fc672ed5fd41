import { type DestinationStream, type Logger, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export type LogFields = Readonly<Record<string, unknown>>

/** Writes one JSON object per line. What bears a secret is censored by its name, wherever it lies within two levels. */
export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  isDebug(): boolean
  /** A log whose every line carries these fields. */
  with(fields: LogFields): Log
  /** A log whose every line says where it happened: slugs, empty for the platform and for tenant level. */
  withPlace(tenant: string, workspace: string): Log
}

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; standard output when unset. */
  readonly destination?: { write(line: string): void }
}

/** Names of fields whose values never reach a log line: credentials, key material, payloads. */
export const secretFields: readonly string[] = [
  'apiKey',
  'api_key',
  'authorization',
  'cookie',
  'key',
  'password',
  'payload',
  'plaintext',
  'privateKey',
  'secret',
  'token',
]

export function createLog(options: LogOptions): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redactedPaths(), censor: '[redacted]' },
  }
  const destination = options.destination as DestinationStream | undefined
  return wrap(destination === undefined ? pino(settings) : pino(settings, destination))
}

/** For parts under test and for start-up before the configuration is read. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  isDebug: () => false,
  with: () => silentLog,
  withPlace: () => silentLog,
}

function redactedPaths(): string[] {
  return secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`])
}

function wrap(logger: Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    isDebug: () => logger.isLevelEnabled('debug'),
    with: (fields) => wrap(logger.child(fields)),
    withPlace: (tenant, workspace) => wrap(logger.child({ tenant, workspace })),
  }
}
