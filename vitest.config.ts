import { defineConfig } from 'vitest/config'

// Every test runs on SQLite. What starts a whole server runs a second time on a real MySQL. A file that is about one
// engine alone says so with the first word of its name.
const everything = 'test/**/*.test.ts'
const sqliteAlone = 'test/**/sqlite-*.test.ts'
const mysqlAlone = 'test/**/mysql-*.test.ts'
const wholeServers = [
  'test/attack/*.test.ts',
  'test/e2e/*.test.ts',
  'test/parity/whole-server.test.ts',
  'test/unit/tenancy/*.test.ts',
]

export const testConfig = defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    projects: [
      { extends: true, test: { name: 'sqlite', include: [everything], exclude: [mysqlAlone] } },
      {
        extends: true,
        test: {
          name: 'mysql',
          include: [...wholeServers, mysqlAlone],
          exclude: [sqliteAlone],
          globalSetup: './test/support/shared-mysql.ts',
          env: { TENURE_TEST_ENGINE: 'mysql' },
        },
      },
    ],
  },
})

// The test runner accepts its configuration as a default export only.
export { testConfig as default }
