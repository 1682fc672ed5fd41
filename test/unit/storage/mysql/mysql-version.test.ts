import { expect, test } from 'vitest'
import { versionProblem } from '../../../../src/storage/mysql/mysql-version.ts'

test.each([
  ['8.4.0', 'MySQL Community Server - GPL'],
  ['8.4.6-ndb', ''],
  ['9.0.1', ''],
  ['9.7.4-2', '(Debian)'],
  ['10.0.0', 'MySQL Community Server - GPL'],
])('%s (%s) can be worked with', (version, comment) => {
  expect(versionProblem(version, comment)).toBeUndefined()
})

test.each([
  ['8.3.0', '', 'MySQL 8.3.0, which is too old'],
  ['8.0.36', 'Source distribution', 'MySQL 8.0.36, which is too old'],
  ['5.7.44-log', '', 'MySQL 5.7.44-log, which is too old'],
  ['', '', 'MySQL , which is too old'],
  ['11.4.2-MariaDB-1:11.4.2+maria~deb12', 'mariadb.org binary distribution', 'MariaDB, which differs'],
  ['5.5.5-10.11.6-MariaDB', '', 'MariaDB, which differs'],
  ['8.4.0', 'MariaDB Server', 'MariaDB, which differs'],
])('%s (%s) cannot', (version, comment, problem) => {
  expect(versionProblem(version, comment)).toContain(problem)
})
