import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { codeKeys } from '../../src/platform-keys.ts'
import { askBao } from '../rigs/openbao/bao-api.ts'

type Anchor = (typeof codeKeys)[keyof typeof codeKeys]['anchor']

export const codeAnchors: readonly Anchor[] = Object.values(codeKeys).map(({ anchor }) => anchor)

/** Takes away what in the keyring says that there were codes once: as before the first version that had them. */
export async function forgetAnchor({ keyring }: Config, anchor: Anchor = 'tenure-row-codes'): Promise<void> {
  if (keyring.kind === 'local') return rmSync(join(keyring.folder, `${anchor}.1.key`))
  const [address = '', token = ''] = [process.env.TENURE_TEST_OPENBAO, process.env.TENURE_TEST_OPENBAO_TOKEN]
  const path = `${keyring.mount}/keys/tenure_key_${anchor}_`
  await askBao(address, token, 'POST', `${path}/config`, { deletion_allowed: true })
  const { status } = await askBao(address, token, 'DELETE', path)
  if (status >= 300) throw new Error(`OpenBao does not delete ${path}`)
}
