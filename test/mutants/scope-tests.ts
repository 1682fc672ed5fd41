import { describe } from 'vitest'

// One file for the test runner, which starts anew for each: of the tests that judge a mutant of a scope, the quick first.
// Each in a suite of its own, so that what one prepares is prepared for its own tests alone.
const suites = {
  contexts: () => import('../unit/tenancy/contexts.test.ts'),
  pins: () => import('../unit/tenancy/pins.test.ts'),
  statements: () => import('../unit/tenancy/sqlite-row-statements.test.ts'),
  scopes: () => import('../unit/tenancy/sqlite-scope.test.ts'),
  units: () => import('../unit/tenancy/sqlite-tenant-unit.test.ts'),
}

for (const [name, suite] of Object.entries(suites)) {
  describe(name, async () => {
    await suite()
  })
}
