import { afterAll, beforeAll } from 'vitest'
import { type OpenBaoRig, startOpenBao } from '../../rigs/openbao/start-openbao.ts'
import { describeKeyring } from './keyring-contract.ts'
import { makeVaultRig } from './vault-rig.ts'

let bao: OpenBaoRig

beforeAll(async () => {
  bao = await startOpenBao()
})
afterAll(() => bao[Symbol.asyncDispose]())

describeKeyring('the keyring in Vault', () => makeVaultRig(bao))
