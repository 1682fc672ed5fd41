import { defineConfig } from 'vitest/config'

export const testConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/closing-line-reporter.ts'],
  },
})

// The test runner accepts its configuration as a default export only.
export { testConfig as default }
