// One file for the test runner, which starts anew for each: of the tests that judge a mutant of a decision.
import '../unit/access/engine/decision.test.ts'
import '../unit/access/engine/bitset.test.ts'
import '../unit/access/engine/indexes.test.ts'
import '../unit/access/engine/tenant-snapshot.test.ts'
import '../unit/access/engine/unreadable-rows.test.ts'
import '../unit/access/engine/engine.test.ts'
import '../unit/access/engine/engine-commit.test.ts'
import '../unit/access/engine/catalogue.test.ts'
