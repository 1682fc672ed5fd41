import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** Of one failure this many characters are told again at the end; all of it stands further up. */
const toldLength = 1_500

/**
 * Prints what failed once more and the closing count on a line of its own, so that whoever keeps only the end of the
 * output still knows why, without parsing colours.
 */
class ClosingLineReporter implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 }
    const failures: string[] = []
    for (const module of testModules) {
      const before = count.failed
      for (const test of module.children.allTests()) {
        const state = test.result().state
        if (state === 'passed') count.passed += 1
        else if (state === 'failed') {
          count.failed += 1
          failures.push(told(test))
        } else count.skipped += 1
      }
      // A file that cannot be loaded, or whose hooks fail, has no failing test of its own and must still count.
      if (module.state() === 'failed' && count.failed === before) {
        count.failed += 1
        failures.push(`${module.relativeModuleId}: ${module.errors().map(inWords).join('\n')}`)
      }
    }
    process.on('exit', () => {
      for (const failure of failures) process.stdout.write(`\nfailed: ${failure}\n`)
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
    })
  }
}

function told(test: TestCase): string {
  const errors = test.result().errors ?? []
  return `${test.project.name} ${test.module.relativeModuleId} > ${test.fullName}\n${errors.map(inWords).join('\n')}`
}

/** A difference says more than its message, which cuts long values off. */
function inWords({ message, diff }: { readonly message: string; readonly diff?: string }): string {
  return stripVTControlCharacters(diff === undefined ? message : `${message}\n${diff}`).slice(0, toldLength)
}

export { ClosingLineReporter as default }
