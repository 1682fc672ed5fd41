import type { TlsConfig } from './config.ts'
import { authorityProblems, certificateProblems, type NamedBytes, readNamed } from './pem.ts'
import type { SettingValues } from './settings.ts'
import type { ReadFile } from './yaml-file.ts'

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
  const clientCa =
    clientCaFile === undefined ? undefined : readPem('TENURE_TLS_CLIENT_CA_FILE', clientCaFile, readFile, problems)
  if (certificate === undefined || privateKey === undefined || problems.length > 0) return { tls: undefined, problems }
  problems.push(...certificateProblems(certificate, privateKey))
  if (clientCa !== undefined) problems.push(...authorityProblems(clientCa))
  const tls = {
    ...{ certFile, keyFile, clientCaFile },
    ...{ certificate: certificate.bytes, privateKey: privateKey.bytes, clientCa: clientCa?.bytes },
  }
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

function readPem(name: FileSetting, path: string, readFile: ReadFile, problems: string[]): NamedBytes | undefined {
  return readNamed(name, `${path}, which`, path, readFile, problems)
}
