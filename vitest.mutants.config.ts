import { defineConfig } from 'vitest/config'

// The tests that judge mutants, in one process and without servers; which, see scripts/mutants.ts. What is random is left
// out, so that a mutant dies of a test that names what it broke.
export const mutantConfig = defineConfig({
  test: {
    include: [process.env.TENURE_MUTANT_TESTS ?? ''],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    env: { TENURE_TEST_KEYRING: 'local' },
  },
})

// The test runner accepts its configuration as a default export only.
export { mutantConfig as default }
