/**
 * Why a server cannot be worked with, continuing the sentence "the server is …"; undefined: it can. `version` and
 * `comment` are what VERSION() and @@version_comment say: a MariaDB may hide in one of them.
 */
export function versionProblem(version: string, comment: string): string | undefined {
  if (/mariadb/i.test(`${version} ${comment}`)) {
    return 'MariaDB, which differs from MySQL in locks, JSON and collations'
  }
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? []
  const number = Number(major) * 100 + Number(minor)
  return number >= oldestVersion ? undefined : `MySQL ${version}, which is too old`
}

/** Of an 8.4: major times a hundred and minor. */
const oldestVersion = 804
