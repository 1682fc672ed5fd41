import type { GuardRefusalReason } from '../../../src/sql-guard/guard-refusal.ts'
import { both, type CorpusEntry, mysql, OTHER_TENANT, sqlite, T, W } from './corpus-binding.ts'

/** Each clause with each of its forms: what is refused in one place must be refused in every other. */
export const HONEST_CLAUSES: CorpusEntry[][] = [
  both(
    'SELECT m.name AS label, COUNT(1) AS n FROM members m JOIN roles r ON r.tenant_id = m.tenant_id WHERE m.tenant_id = ? GROUP BY label HAVING n > 1',
  ),
  both('SELECT m.id FROM members AS m WHERE m.tenant_id = ?'),
  both('SELECT d."Id" FROM (SELECT members.id AS "Id" FROM members WHERE members.tenant_id = ?) d'),
  both(
    'SELECT m.id AS label FROM members m JOIN roles r ON r.tenant_id = m.tenant_id WHERE m.tenant_id = ? ORDER BY label',
  ),
  mysql(
    'INSERT INTO members (tenant_id, id, visits) VALUES (?, ?, 1) ON DUPLICATE KEY UPDATE visits = members.visits + VALUES(visits)',
  ),
  both(
    'SELECT a.id FROM members a JOIN roles b ON b.tenant_id = a.tenant_id JOIN roles c ON c.tenant_id = a.tenant_id WHERE a.tenant_id = ?',
  ),
  both(
    'SELECT a.id FROM members a JOIN roles b ON b.tenant_id = a.tenant_id JOIN roles c ON c.tenant_id = b.tenant_id WHERE c.tenant_id = ?',
  ),
  sqlite('SELECT id FROM members WHERE tenant_id = ? AND id IS DISTINCT FROM ?'),
  sqlite('SELECT id FROM members WHERE tenant_id = ? AND name IS NOT DISTINCT FROM ?'),
  both(
    'SELECT id FROM members WHERE tenant_id = ? AND id NOT IN (?, ?) AND name NOT LIKE ? AND visits NOT BETWEEN ? AND ?',
  ),
  both(
    'SELECT m.id FROM members m WHERE m.tenant_id = ? AND m.id NOT IN (SELECT r.owner FROM roles r WHERE r.tenant_id = ?)',
  ),
  both('SELECT id FROM members WHERE tenant_id = ? AND visits > -5 AND visits < -(1 + 2) AND name IS NULL'),
  both('SELECT id FROM members WHERE tenant_id = ? AND visits - 1 < 2 * (3 + visits) AND visits <= 9 AND visits >= 0'),
  both('SELECT id FROM members WHERE tenant_id = ? AND (TRUE OR FALSE) AND name = NULL'),
  both('SELECT id FROM members WHERE (tenant_id = ? AND (id = ?)) AND (visits = ?)'),
  // Of a table of the tenant the workspace is a column like any other.
  both('SELECT id FROM members WHERE tenant_id = ? AND workspace_id = ?', { params: [T, 'any'] }),
  both(
    'SELECT m.id FROM members m JOIN roles r ON r.tenant_id = m.tenant_id WHERE m.tenant_id = ? AND r.workspace_id = ?',
    {
      params: [T, 'any'],
    },
  ),
  both('SELECT id AS tenant FROM members WHERE tenant_id = ? ORDER BY tenant'),
  both(
    'SELECT tenant_id AS tenant_id, workspace_id AS workspace_id FROM notes WHERE tenant_id = ? AND workspace_id = ?',
    {
      params: [T, W],
    },
  ),
  both('SELECT m.tenant_id AS tenant_id FROM members m WHERE m.tenant_id = ?'),
  sqlite('SELECT id FROM members WHERE tenant_id = ? ORDER BY name ASC NULLS FIRST, id DESC NULLS LAST'),
  both('SELECT id FROM members WHERE tenant_id = ? LIMIT ? OFFSET ?'),
  both(
    'SELECT COUNT(DISTINCT name), COUNT(id) FROM members WHERE tenant_id = ? GROUP BY id, name HAVING MAX(visits) > 1',
  ),
  both(
    'SELECT name AS label, COUNT(1) AS n FROM members WHERE tenant_id = ? GROUP BY label HAVING n > 1 ORDER BY n, label',
  ),
  both('(SELECT m.id FROM members m WHERE m.tenant_id = ?) UNION (SELECT r.id FROM roles r WHERE r.tenant_id = ?)'),
  both(
    'SELECT m.id FROM members m JOIN (SELECT r.owner AS owner FROM roles r WHERE r.tenant_id = ?) d ON d.owner = m.id WHERE m.tenant_id = ?',
  ),
  both(
    'WITH a AS (SELECT m.id FROM members m WHERE m.tenant_id = ?), b AS (SELECT a.id FROM a) SELECT b.id FROM b JOIN members n ON n.id = b.id WHERE n.tenant_id = ?',
  ),
  both('WITH a AS (SELECT m.id FROM members m WHERE m.tenant_id = ?) SELECT z.id FROM a z'),
  both('SELECT members.id FROM members members WHERE members.tenant_id = ?'),
  both('SELECT d.id FROM (SELECT members.id FROM members WHERE members.tenant_id = ?) d'),
  mysql('UPDATE members SET visits = 0 WHERE tenant_id = ? ORDER BY id LIMIT 5'),
  mysql('SELECT id FROM members WHERE tenant_id = ? FOR SHARE SKIP LOCKED'),
  mysql('INSERT INTO members (tenant_id, id, visits) VALUES (?, ?, DEFAULT), (?, ?, NULL), (?, ?, -1), (?, ?, TRUE)'),
  sqlite("INSERT INTO members (tenant_id, id, visits, name) VALUES (?, ?, -1, NULL), (?, ?, 2.5, '')"),
  sqlite('INSERT INTO events (tenant_id, id) VALUES (?, ?) ON CONFLICT (tenant_id, id) DO UPDATE SET id = EXCLUDED.id'),
  sqlite('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON CONFLICT (tenant_id, id) DO NOTHING'),
  both('SELECT id FROM members WHERE tenant_id = ? AND tenant_id = ? AND tenant_id = ?'),
]

export const HOSTILE_CLAUSES: Readonly<Partial<Record<GuardRefusalReason, CorpusEntry[][]>>> = {
  function: [
    both('SELECT count.main(id) FROM members WHERE tenant_id = ?'),
    mysql('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = lower(id)'),
    mysql('UPDATE members SET name = VALUES(id) WHERE tenant_id = ?'),
    sqlite(
      'INSERT INTO members (tenant_id, id) VALUES (?, ?) ON CONFLICT (tenant_id, id) DO UPDATE SET name = VALUES(name)',
    ),
    both('SELECT id FROM members WHERE tenant_id = ? AND lower(id) IS NULL'),
    both('SELECT id FROM members WHERE tenant_id = ? AND lower(id) IS NOT NULL'),
    both('SELECT id FROM members WHERE tenant_id = ? AND lower(id) IN (?)'),
    both('SELECT id FROM members WHERE tenant_id = ? AND id IN (?, lower(?))'),
    both('SELECT id FROM members WHERE tenant_id = ? AND lower(id) BETWEEN ? AND ?'),
    both('SELECT id FROM members WHERE tenant_id = ? AND id BETWEEN lower(?) AND ?'),
    both('SELECT id FROM members WHERE tenant_id = ? AND id BETWEEN ? AND lower(?)'),
    both('SELECT id FROM members WHERE tenant_id = ? AND lower(id) LIKE ?'),
    both('SELECT id FROM members WHERE tenant_id = ? AND id LIKE lower(?)'),
    both('SELECT id FROM members WHERE tenant_id = ? AND id IS DISTINCT FROM lower(?)'),
    both('SELECT id FROM members WHERE tenant_id = ? AND lower(id) IS NOT DISTINCT FROM ?'),
    both('SELECT id FROM members WHERE tenant_id = ? AND NOT (lower(id) = ?)'),
    both('SELECT id FROM members WHERE tenant_id = ? AND visits > -(lower(id))'),
    both('SELECT id FROM members WHERE tenant_id = ? AND (visits + lower(id)) > 1'),
    both('SELECT id FROM members WHERE tenant_id = ? OR lower(id) = ?'),
    both('SELECT COALESCE(lower(id), ?) FROM members WHERE tenant_id = ?'),
    both('SELECT lower(id) AS x FROM members WHERE tenant_id = ?'),
    both('SELECT id FROM members WHERE tenant_id = ? GROUP BY lower(id)'),
    both('SELECT id FROM members WHERE tenant_id = ? GROUP BY id HAVING lower(id) = ?'),
    both('SELECT id FROM members WHERE tenant_id = ? ORDER BY lower(id)'),
    both(
      'SELECT m.id FROM members m JOIN roles r ON r.tenant_id = m.tenant_id AND lower(r.id) = ? WHERE m.tenant_id = ?',
    ),
    both(
      'SELECT m.id FROM members m LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND lower(r.id) = ? WHERE m.tenant_id = ?',
    ),
    both(
      'SELECT m.id FROM members m WHERE m.tenant_id = ? AND lower(m.id) IN (SELECT r.id FROM roles r WHERE r.tenant_id = ?)',
    ),
    both(
      'SELECT m.id FROM members m WHERE m.tenant_id = ? AND EXISTS (SELECT lower(r.id) FROM roles r WHERE r.tenant_id = ?)',
    ),
    both(
      'SELECT m.id FROM members m WHERE m.tenant_id = ? UNION SELECT lower(r.id) FROM roles r WHERE r.tenant_id = ?',
    ),
    both('UPDATE members SET name = lower(?) WHERE tenant_id = ?'),
    both('UPDATE members SET name = ? WHERE tenant_id = ? AND lower(id) = ?'),
    both('DELETE FROM members WHERE tenant_id = ? AND lower(id) = ?'),
    mysql('UPDATE members SET name = ? WHERE tenant_id = ? ORDER BY lower(id)'),
    mysql('DELETE FROM members WHERE tenant_id = ? ORDER BY lower(id)'),
    sqlite(
      'INSERT INTO members (tenant_id, id) VALUES (?, ?) ON CONFLICT (tenant_id, id) DO UPDATE SET name = lower(excluded.id)',
    ),
    sqlite(
      'INSERT INTO members (tenant_id, id) VALUES (?, ?) ON CONFLICT (tenant_id, id) DO UPDATE SET name = ? WHERE lower(members.id) = ?',
    ),
    mysql('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = lower(VALUES(id))'),
    mysql('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = VALUES(id, name)'),
    mysql('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = VALUES(?)'),
    both('SELECT COALESCE(*) FROM members WHERE tenant_id = ?'),
    both('SELECT MAX(*) FROM members WHERE tenant_id = ?'),
    both('SELECT COUNT(ALL id) FROM members WHERE tenant_id = ?'),
    both('SELECT main.count(id) FROM members WHERE tenant_id = ?'),
  ],
  'foreign-tenant': [
    both('SELECT id FROM members WHERE tenant_id = ? AND tenant_id = ?', { params: [OTHER_TENANT, T] }),
    both('SELECT m.id FROM members m JOIN roles r ON r.tenant_id = ? WHERE m.tenant_id = ? AND r.tenant_id = ?', {
      params: [OTHER_TENANT, T, T],
    }),
    both('SELECT id FROM members WHERE (tenant_id = ? AND id = ?) OR (tenant_id = ? AND id = ?)', {
      params: [OTHER_TENANT, 'a', T, 'b'],
    }),
    both('SELECT m.id FROM members m LEFT JOIN roles r ON r.tenant_id = ? WHERE m.tenant_id = ?', {
      params: [OTHER_TENANT, T],
    }),
  ],
  'unpinned-tenant': [
    both(
      'SELECT a.id FROM members a JOIN roles b ON b.id = ? JOIN roles c ON c.id = ? WHERE a.tenant_id = ? AND (a.tenant_id = b.tenant_id OR a.tenant_id = c.tenant_id)',
    ),
    both(
      'SELECT a.id FROM members a JOIN roles b ON b.id = ? WHERE a.tenant_id = ? AND (a.tenant_id = b.tenant_id OR b.tenant_id = b.tenant_id)',
    ),
    both(
      'SELECT m.id FROM members m JOIN notes n ON m.tenant_id = n.workspace_id WHERE n.tenant_id = ? AND n.workspace_id = ?',
      {
        params: [T, W],
      },
    ),
    both(
      'SELECT m.id FROM members m JOIN notes n ON n.workspace_id = m.tenant_id WHERE n.tenant_id = ? AND n.workspace_id = ?',
      {
        params: [T, W],
      },
    ),
    both(
      'SELECT m.id FROM members m JOIN roles r ON r.tenant_id = ? LEFT JOIN roles s ON s.tenant_id = m.tenant_id AND r.tenant_id = m.tenant_id',
    ),
    both('SELECT m.id FROM members m WHERE m.tenant_id + ?'),
    both('SELECT m.id FROM members m WHERE m.tenant_id < ?'),
    both('(SELECT m.id FROM members m) UNION (SELECT r.id FROM roles r WHERE r.tenant_id = ?)'),
    both('(SELECT m.id FROM members m)'),
    sqlite('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON CONFLICT (id, name) DO UPDATE SET name = ?'),
  ],
  'unpinned-workspace': [
    both(
      'SELECT n.id FROM notes n JOIN members m ON m.tenant_id = n.tenant_id AND n.workspace_id = m.workspace_id WHERE n.tenant_id = ? AND m.workspace_id = ?',
      {
        params: [T, W],
      },
    ),
    sqlite(
      'INSERT INTO notes (tenant_id, workspace_id, id) VALUES (?, ?, ?) ON CONFLICT (tenant_id, id) DO UPDATE SET body = ?',
      {
        params: [T, W, 'n', 'b'],
      },
    ),
    both('UPDATE notes SET body = ? WHERE tenant_id = ?'),
    both('INSERT INTO notes (tenant_id, workspace_id, id) VALUES (?, NULL, ?)'),
  ],
  unparsable: [
    both('INSERT INTO members AS m (tenant_id, id) VALUES (?, ?)'),
    both('DELETE members WHERE tenant_id = ?'),
  ],
  word: [both('SELECT m.id FROM members m LEFT SEMI JOIN roles r ON r.tenant_id = m.tenant_id WHERE m.tenant_id = ?')],
  shape: [
    both(
      'SELECT m.id FROM members m WHERE m.tenant_id = ? AND m.visits = EXISTS (SELECT 1 FROM roles r WHERE r.tenant_id = ?)',
    ),
    both('SELECT id FROM members WHERE tenant_id = ? AND visits > NOT (id = ?)'),
    both('SELECT id FROM members WHERE tenant_id = ? AND visits > +(1)'),
    // The parser takes everything behind DISTINCT FROM for its operand; no engine does.
    both('SELECT id FROM members WHERE id IS DISTINCT FROM ? AND tenant_id = ?'),
    both('SELECT id FROM members WHERE id IS NOT DISTINCT FROM ? OR tenant_id = ?'),
    both('WITH x AS (SELECT 1) INSERT INTO members (tenant_id, id) VALUES (?, ?)'),
    both(
      'SELECT m.id FROM members m WHERE m.tenant_id = ? UNION SELECT r.id FROM roles r WHERE r.tenant_id = ? ORDER BY lower(id)',
    ),
    both(
      'SELECT m.id FROM members m WHERE m.tenant_id = ? UNION SELECT r.id FROM roles r WHERE r.tenant_id = ? ORDER BY m.id',
    ),
    both('SELECT id FROM members WHERE tenant_id = ? LIMIT ? OFFSET 1 + 1'),
    both('SELECT id FROM members WHERE tenant_id = ? AND NOT id'),
    both('SELECT id FROM members WHERE tenant_id = ? AND visits > -id'),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ? = ?'),
    both('SELECT id FROM members WHERE tenant_id = ? AND visits > +1'),
    both('INSERT INTO members (tenant_id, id) VALUES (?, -(1))'),
    both('INSERT INTO members (tenant_id, id) VALUES (?, +1)'),
    both('INSERT INTO members (tenant_id, id) VALUES (?, id)'),
    both('INSERT INTO members (tenant_id, id) VALUES (?, "DEFAULT")'),
    sqlite('INSERT INTO members (tenant_id, id) VALUES (?, DEFAULT)'),
    both('UPDATE members SET (name, visits) = (?, ?) WHERE tenant_id = ?'),
    both('SELECT id FROM members WHERE tenant_id = ? GROUP BY ALL'),
    both('SELECT id FROM members WHERE tenant_id = ? AND COUNT(id ORDER BY id) > 1'),
  ],
  'join-kind': [both('DELETE FROM members, roles WHERE members.tenant_id = ?')],
  name: [
    both('SELECT id FROM "memberS" WHERE tenant_id = ?'),
    both(`SELECT id FROM "m${'x'.repeat(63)}" WHERE tenant_id = ?`),
    both(`SELECT id AS "a${'x'.repeat(127)}" FROM members WHERE tenant_id = ?`),
    both('SELECT id FROM members WHERE tenant_id = ? ORDER BY ALL'),
    both('SELECT id FROM (SELECT 1 AS id)'),
    both('SELECT "m"."Id" FROM members m WHERE m.tenant_id = ?'),
    both('WITH "Mine" AS (SELECT 1) SELECT 2'),
    both('UPDATE members SET "Name" = ? WHERE tenant_id = ?'),
    both('INSERT INTO members ("Tenant_id", id) VALUES (?, ?)'),
  ],
  'shadowed-name': [
    both(
      'SELECT a.id FROM members a JOIN roles b ON b.tenant_id = a.tenant_id WHERE a.tenant_id = ? AND EXISTS (SELECT 1 FROM roles a WHERE a.tenant_id = ?)',
    ),
    both('SELECT "ROLES".id FROM (SELECT ? AS id) "ROLES"'),
    both('SELECT "Cells".id FROM members "Cells" WHERE "Cells".tenant_id = ?'),
    both('WITH plans AS (SELECT 1) SELECT 2'),
    both('SELECT id AS "Workspace_Id" FROM members WHERE tenant_id = ?'),
    both('SELECT workspace_id AS tenant_id FROM members WHERE tenant_id = ?'),
    both(
      'SELECT m.id FROM members m WHERE m.tenant_id = ? AND m.id IN (SELECT "M".id FROM roles "M" WHERE "M".tenant_id = ?)',
    ),
  ],
  'unknown-reference': [
    both('SELECT x.* FROM members m WHERE m.tenant_id = ?'),
    both('SELECT m.id FROM members m WHERE m.tenant_id = ? ORDER BY x.id'),
    both('UPDATE members SET name = roles.name WHERE members.tenant_id = ?'),
  ],
  'unknown-table': [both('WITH x AS (SELECT x.id FROM x) SELECT 1')],
  'qualified-table': [
    both('INSERT INTO members (members.tenant_id, id) VALUES (?, ?)'),
    mysql('SELECT m.id FROM members m WHERE m.tenant_id = ? FOR UPDATE OF main.m'),
    both('SELECT a.b.* FROM members m WHERE m.tenant_id = ?'),
  ],
  'unqualified-column': [
    both('SELECT m.id FROM members m JOIN roles r ON r.tenant_id = m.tenant_id WHERE m.tenant_id = ? ORDER BY name'),
    both('SELECT m.id AS x FROM members m JOIN roles r ON r.tenant_id = m.tenant_id WHERE m.tenant_id = ? AND x = ?'),
    both('SELECT d.id FROM (SELECT 1 AS id) d JOIN members m ON m.tenant_id = ? WHERE tenant_id = ?'),
  ],
  'key-assignment': [
    sqlite(
      'INSERT INTO notes (tenant_id, workspace_id, id) VALUES (?, ?, ?) ON CONFLICT (tenant_id, workspace_id, id) DO UPDATE SET workspace_id = excluded.tenant_id',
    ),
    sqlite(
      'INSERT INTO members (tenant_id, id) VALUES (?, ?) ON CONFLICT (tenant_id, id) DO UPDATE SET tenant_id = members.tenant_id',
    ),
    mysql('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON DUPLICATE KEY UPDATE tenant_id = COALESCE(tenant_id)'),
    mysql('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON DUPLICATE KEY UPDATE tenant_id = VALUES(?)'),
  ],
}
