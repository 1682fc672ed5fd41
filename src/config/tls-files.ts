import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { TlsConfig } from './config.ts'
import type { SettingValues } from './settings.ts'
import type { ReadFile } from './settings-file.ts'

export interface TlsFiles {
  readonly tls: TlsConfig | undefined
  readonly problems: readonly string[]
}

export const tlsSettings = ['tlsCertFile', 'tlsKeyFile', 'tlsClientCaFile'] as const

type FileSetting = 'TENURE_TLS_CERT_FILE' | 'TENURE_TLS_KEY_FILE' | 'TENURE_TLS_CLIENT_CA_FILE'

/** Reads and checks what TLS needs, so that a wrong file stops the start and not the first handshake. */
export function readTlsFiles(values: SettingValues, readFile: ReadFile): TlsFiles {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsClientCaFile: clientCaFile } = values
  if (certFile === undefined || keyFile === undefined) {
    return { tls: undefined, problems: missing(certFile, keyFile, clientCaFile) }
  }
  const problems: string[] = []
  const certificate = readPem('TENURE_TLS_CERT_FILE', certFile, readFile, problems)
  const privateKey = readPem('TENURE_TLS_KEY_FILE', keyFile, readFile, problems)
  const clientCa = clientCaFile && readPem('TENURE_TLS_CLIENT_CA_FILE', clientCaFile, readFile, problems)
  if (certificate === undefined || privateKey === undefined || problems.length > 0) return { tls: undefined, problems }
  const tls: TlsConfig = { certFile, keyFile, clientCaFile, certificate, privateKey, clientCa: clientCa || undefined }
  problems.push(...mismatches(tls))
  return { tls, problems }
}

function missing(certFile: string | undefined, keyFile: string | undefined, caFile: string | undefined): string[] {
  const problems: string[] = []
  if (certFile !== undefined) {
    problems.push('TENURE_TLS_CERT_FILE is set without TENURE_TLS_KEY_FILE; set both, or neither.')
  }
  if (keyFile !== undefined) {
    problems.push('TENURE_TLS_KEY_FILE is set without TENURE_TLS_CERT_FILE; set both, or neither.')
  }
  if (caFile !== undefined && certFile === undefined && keyFile === undefined) {
    problems.push(
      'TENURE_TLS_CLIENT_CA_FILE is set without TENURE_TLS_CERT_FILE and TENURE_TLS_KEY_FILE; set those too, or remove it.',
    )
  }
  return problems
}

function readPem(name: FileSetting, path: string, readFile: ReadFile, problems: string[]): Buffer | undefined {
  try {
    return Buffer.from(readFile(path))
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    problems.push(`${name} names ${path}, which cannot be read (${why}); mend the path or its permissions.`)
    return undefined
  }
}

function mismatches({ certificate, privateKey, clientCa }: TlsConfig): string[] {
  const problems: string[] = []
  const own = attempt(() => new X509Certificate(certificate))
  const key = attempt(() => createPrivateKey(privateKey))
  if (own === undefined) problems.push('TENURE_TLS_CERT_FILE holds no PEM certificate; name one that does.')
  if (key === undefined)
    problems.push('TENURE_TLS_KEY_FILE holds no PEM private key without passphrase; name one that does.')
  if (own !== undefined && key !== undefined && !own.checkPrivateKey(key)) {
    problems.push(
      'TENURE_TLS_KEY_FILE is not the key of the certificate in TENURE_TLS_CERT_FILE; name the two that belong together.',
    )
  }
  if (clientCa !== undefined && attempt(() => new X509Certificate(clientCa)) === undefined) {
    problems.push('TENURE_TLS_CLIENT_CA_FILE holds no PEM certificate; name one that does.')
  }
  return problems
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
