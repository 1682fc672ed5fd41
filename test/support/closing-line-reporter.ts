import type { Reporter, TestModule } from 'vitest/node'

/** Prints the closing count on a line of its own, so that whoever runs the suite can read it without parsing colours. */
class ClosingLineReporter implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 }
    for (const module of testModules) {
      const before = count.failed
      for (const test of module.children.allTests()) {
        const state = test.result().state
        if (state === 'passed') count.passed += 1
        else if (state === 'failed') count.failed += 1
        else count.skipped += 1
      }
      // A file that cannot be loaded, or whose hooks fail, has no failing test of its own and must still count.
      if (module.state() === 'failed' && count.failed === before) count.failed += 1
    }
    process.on('exit', () => {
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
    })
  }
}

export { ClosingLineReporter as default }
