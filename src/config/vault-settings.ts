import { authorityProblems, type NamedBytes, readNamed } from './pem.ts'
import { secretIn } from './secret-file.ts'
import type { SettingValues } from './settings.ts'
import type { KeyringConfig, VaultCredentialConfig } from './stores.ts'
import { isCleartextVault } from './vault-address.ts'
import type { ReadFile } from './yaml-file.ts'

export interface VaultSettings {
  /** Undefined where there are problems. */
  readonly keyring: KeyringConfig | undefined
  readonly problems: readonly string[]
}

export const vaultSettings = [
  'keyring',
  'vaultAddress',
  'vaultNamespace',
  'vaultCaFile',
  'vaultToken',
  'vaultTokenFile',
  'vaultRoleId',
  'vaultSecretId',
  'vaultSecretIdFile',
  'insecureVault',
] as const

/** Puts together what is said of a keyring in Vault, so that what is missing stops the start and not the first key. */
export function readVault(values: SettingValues, readFile: ReadFile): VaultSettings {
  const { keyring, vaultAddress: address, vaultNamespace: namespace } = values
  if (keyring === undefined || keyring.kind === 'local') return { keyring, problems: [] }
  const problems = transportProblems(values)
  const ca = readFileOf('VAULT_CACERT', values.vaultCaFile, readFile, problems)
  if (ca !== undefined) problems.push(...authorityProblems(ca))
  const credential = readCredential(values, readFile, problems)
  if (problems.length > 0 || address === undefined || credential === undefined) return { keyring: undefined, problems }
  return { keyring: { ...keyring, address, namespace, ca: ca?.bytes, credential }, problems }
}

/** A token, and every data key, are in what goes over the network. */
function transportProblems({ vaultAddress: address, vaultCaFile, insecureVault }: SettingValues): string[] {
  if (address === undefined) return ['TENURE_KEYRING names a Vault, and VAULT_ADDR does not say where it is; set it.']
  const problems: string[] = []
  if (insecureVault === true && address.startsWith('https:')) {
    problems.push('TENURE_INSECURE_VAULT is true although VAULT_ADDR is https://; remove one or the other.')
  }
  if (insecureVault !== true && isCleartextVault(address)) {
    problems.push('VAULT_ADDR is http:// beyond loopback; make it https://, or set TENURE_INSECURE_VAULT=true.')
  }
  if (vaultCaFile !== undefined && address.startsWith('http:')) {
    problems.push('VAULT_CACERT is set although VAULT_ADDR is http://; make it https://, or remove the file.')
  }
  return problems
}

function readCredential(
  values: SettingValues,
  readFile: ReadFile,
  problems: string[],
): VaultCredentialConfig | undefined {
  const { vaultRoleId: roleId } = values
  const { vaultToken, vaultTokenFile, vaultSecretId, vaultSecretIdFile } = values
  const token = readSecret('VAULT_TOKEN', 'a token', vaultToken, vaultTokenFile, readFile, problems)
  const secretId = readSecret('VAULT_SECRET_ID', 'a secret id', vaultSecretId, vaultSecretIdFile, readFile, problems)
  if (problems.length > 0) return undefined
  const isRole = roleId !== undefined || secretId !== undefined
  if (token !== undefined && isRole) {
    problems.push('VAULT_TOKEN is set, and VAULT_ROLE_ID or VAULT_SECRET_ID too; log in with one or the other.')
    return undefined
  }
  if (token !== undefined) return { kind: 'token', token }
  if (roleId !== undefined && secretId !== undefined) return { kind: 'approle', roleId, secretId }
  problems.push(
    isRole
      ? 'VAULT_ROLE_ID and VAULT_SECRET_ID go together; set both, or VAULT_TOKEN instead.'
      : 'TENURE_KEYRING names a Vault, and nothing says how to log in; set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID.',
  )
  return undefined
}

function readSecret(
  variable: 'VAULT_TOKEN' | 'VAULT_SECRET_ID',
  what: string,
  value: string | undefined,
  path: string | undefined,
  readFile: ReadFile,
  problems: string[],
): string | undefined {
  if (value !== undefined && path !== undefined) {
    problems.push(`${variable} and ${variable}_FILE are both set; remove one.`)
    return undefined
  }
  const file = readFileOf(`${variable}_FILE`, path, readFile, problems)
  return file === undefined ? value : secretIn(file, what, problems)
}

function readFileOf(
  name: string,
  path: string | undefined,
  readFile: ReadFile,
  problems: string[],
): NamedBytes | undefined {
  return path === undefined ? undefined : readNamed(name, `${path}, which`, path, readFile, problems)
}
