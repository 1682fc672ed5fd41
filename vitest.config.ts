import { defineConfig } from 'vitest/config'

// Every test runs on SQLite, with keys in a folder. What starts a whole server runs a second time on a real MySQL, with
// keys in a real OpenBao. A file that is about one engine alone says so with the first word of its name.
const everything = 'test/**/*.test.ts'
const sqliteAlone = 'test/**/sqlite-*.test.ts'
const mysqlAlone = 'test/**/mysql-*.test.ts'
const wholeServers = [
  'test/attack/*.test.ts',
  'test/e2e/*.test.ts',
  'test/parity/whole-server.test.ts',
  'test/unit/tenancy/*.test.ts',
]

/** The keyring of a project; TENURE_TEST_KEYRING, `local` or `openbao`, puts all of them on one. */
function keyringProject(byDefault: 'local' | 'openbao', setups: readonly string[] = []) {
  const keyring = process.env.TENURE_TEST_KEYRING ?? byDefault
  const shared = keyring === 'openbao' ? ['./test/support/shared-openbao.ts'] : []
  return { globalSetup: [...setups, ...shared], env: { TENURE_TEST_KEYRING: keyring } }
}

const onSqlite = keyringProject('local')
const onMysql = keyringProject('openbao', ['./test/support/shared-mysql.ts'])

export const testConfig = defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // So that what hangs comes to an end: many times what any test takes, on a machine that is busy with other things too.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    projects: [
      { extends: true, test: { name: 'sqlite', include: [everything], exclude: [mysqlAlone], ...onSqlite } },
      {
        extends: true,
        test: {
          name: 'mysql',
          include: [...wholeServers, mysqlAlone],
          exclude: [sqliteAlone],
          ...onMysql,
          env: { ...onMysql.env, TENURE_TEST_ENGINE: 'mysql' },
        },
      },
    ],
  },
})

// The test runner accepts its configuration as a default export only.
export { testConfig as default }
