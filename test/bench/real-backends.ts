import { startMysql } from '../rigs/mysql/start-mysql.ts'
import { type OpenBaoRig, startOpenBao } from '../rigs/openbao/start-openbao.ts'
import { prepareDatabase } from '../support/test-database.ts'

/** What a production server stands on: a MySQL with the tables, and an OpenBao with a mount. */
export interface RealBackends extends AsyncDisposable {
  readonly bao: OpenBaoRig
  /** Settings of a server on both. */
  readonly env: NodeJS.ProcessEnv
}

export async function startRealBackends(): Promise<RealBackends> {
  await using stack = new AsyncDisposableStack()
  const mysql = stack.use(await startMysql())
  const bao = stack.use(await startOpenBao())
  await bao.mountTransit('transit')
  const url = await prepareDatabase(mysql)
  const owned = stack.move()
  const vault = { TENURE_KEYRING: 'vault:transit', VAULT_ADDR: bao.address, VAULT_TOKEN: bao.rootToken }
  return {
    bao,
    env: { ...process.env, ...vault, TENURE_DATABASE_URL: url },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
