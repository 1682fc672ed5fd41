import { installMysql } from './mysql/install-mysql.ts'
import { installOpenBao } from './openbao/install-openbao.ts'
import { installPglite } from './postgres/install-pglite.ts'
import { installPyJwt } from './python/install-pyjwt.ts'

// The part of `make rigs` that no package manager does for the system.
const rigs: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['MySQL', installMysql],
  ['OpenBao', installOpenBao],
  ['PostgreSQL', installPglite],
  ['PyJWT', installPyJwt],
]
for (const [name, install] of rigs) {
  try {
    await install()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(`make rigs: COULD NOT INSTALL ${name}: tests that need it will fail: ${why}\n`)
  }
}
