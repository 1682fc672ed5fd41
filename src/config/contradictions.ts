import { isCleartextIssuer } from './issuer.ts'
import { formatListenAddress, isLoopbackHost } from './listen-address.ts'
import type { SettingName, SettingValues } from './settings.ts'
import { tlsSettings } from './tls-files.ts'

/** False for settings that somebody set but that could not be read: nothing may be concluded from their absence. */
export type IsKnown = (...names: SettingName[]) => boolean

/** Settings that are fine one by one and wrong together. */
export function contradictions(values: SettingValues, isKnown: IsKnown): string[] {
  const problems = sameAddress(values)
  if (isKnown(...tlsSettings, 'insecureListen')) problems.push(...cleartextProblems(values))
  if (isKnown(...tlsSettings, 'issuer', 'httpAddress')) problems.push(...issuerProblems(values))
  problems.push(...stalenessProblems(values))
  return problems
}

function sameAddress({ grpcAddress, httpAddress }: SettingValues): string[] {
  if (grpcAddress === undefined || httpAddress === undefined || grpcAddress.port === 0) return []
  if (formatListenAddress(grpcAddress) !== formatListenAddress(httpAddress)) return []
  return ['TENURE_GRPC_ADDRESS and TENURE_HTTP_ADDRESS are the same; give each a port of its own.']
}

/** API keys travel in headers: in the clear beyond loopback, whoever shares the network reads them. */
function cleartextProblems(values: SettingValues): string[] {
  const { grpcAddress, httpAddress, insecureListen, issuer, tlsCertFile } = values
  if (insecureListen === true) {
    if (tlsCertFile === undefined) return []
    return ['TENURE_INSECURE_LISTEN is true although TLS files are set; remove one or the other.']
  }
  const problems: string[] = []
  const addresses = [
    ['TENURE_GRPC_ADDRESS', grpcAddress],
    ['TENURE_HTTP_ADDRESS', httpAddress],
  ] as const
  for (const [name, address] of addresses) {
    if (tlsCertFile !== undefined || address === undefined || isLoopbackHost(address.host)) continue
    problems.push(
      `${name} listens beyond loopback without TLS; set TENURE_TLS_CERT_FILE and TENURE_TLS_KEY_FILE, ` +
        'or TENURE_INSECURE_LISTEN=true where TLS ends in front of it.',
    )
  }
  if (issuer !== undefined && isCleartextIssuer(issuer)) {
    problems.push('TENURE_ISSUER is http:// beyond loopback; make it https://, or set TENURE_INSECURE_LISTEN=true.')
  }
  return problems
}

function issuerProblems({ issuer, httpAddress, tlsCertFile }: SettingValues): string[] {
  if (issuer !== undefined || httpAddress === undefined) return []
  if (isLoopbackHost(httpAddress.host) && tlsCertFile === undefined) return []
  return [
    'TENURE_ISSUER is not set, and only a server on loopback without TLS can do without; ' +
      'set it to the URL clients know this installation by.',
  ]
}

/** Whoever reads that a decision may be older than the limit for all of them would believe it. */
function stalenessProblems({ maxStalenessMs, maxStalenessByPermission }: SettingValues): string[] {
  if (maxStalenessMs === undefined || maxStalenessByPermission === undefined) return []
  return Object.entries(maxStalenessByPermission)
    .filter(([, staleness]) => staleness > maxStalenessMs)
    .map(
      ([permission]) =>
        `access.maxStalenessByPermission.${permission} is more than TENURE_MAX_STALENESS_MS; lower it, or raise that for all.`,
    )
}
