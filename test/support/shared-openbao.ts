import { askBao } from '../rigs/openbao/bao-api.ts'
import { startOpenBao } from '../rigs/openbao/start-openbao.ts'
import { tenurePolicy } from '../rigs/openbao/tenure-policy.ts'

/**
 * One OpenBao for the whole run, started by the test runner; each server under test has a mount of its own in it. Whoever
 * names another in TENURE_TEST_OPENBAO, with a root token in TENURE_TEST_OPENBAO_TOKEN, runs the tests on that.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TENURE_TEST_OPENBAO_SERVER_TOKEN !== undefined) return undefined
  try {
    const bao = process.env.TENURE_TEST_OPENBAO === undefined ? await startOpenBao() : undefined
    if (bao !== undefined) {
      process.env.TENURE_TEST_OPENBAO = bao.address
      process.env.TENURE_TEST_OPENBAO_TOKEN = bao.rootToken
    }
    process.env.TENURE_TEST_OPENBAO_SERVER_TOKEN = await makeServerToken()
    return async () => bao?.[Symbol.asyncDispose]()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(`\nCOULD NOT START OpenBao: every test that needs it will fail: ${why}\n`)
    return undefined
  }
}

async function makeServerToken(): Promise<string> {
  const { TENURE_TEST_OPENBAO: address = '', TENURE_TEST_OPENBAO_TOKEN: token } = process.env
  await askBao(address, token, 'POST', 'sys/policies/acl/tenure-tests', { policy: tenurePolicy('+') })
  const options = { policies: ['tenure-tests'], ttl: '24h' }
  const { status, body } = await askBao(address, token, 'POST', 'auth/token/create', options)
  if (body.auth === undefined) throw new Error(`it answered ${status} and gave no token`)
  return body.auth.client_token
}
