// One file for the test runner, which starts anew for each: of the tests that judge a mutant of the guard, the quick first.
import '../unit/sql-guard/guard-corpus.test.ts'
import '../unit/sql-guard/guard-text.test.ts'
import '../unit/sql-guard/guard.test.ts'
import '../unit/sql-guard/key-columns.test.ts'
import '../unit/sql-guard/guard-trees.test.ts'
