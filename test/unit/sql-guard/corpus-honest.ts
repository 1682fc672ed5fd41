import {
  ALL_WORKSPACES_BINDING,
  both,
  type CorpusEntry,
  DIRECTORY_BINDING,
  mysql,
  sqlite,
  T,
  W,
} from './corpus-binding.ts'

const MEMBER = `"member"."tenant_id" AS "member_tenant_id", "member"."id" AS "member_id", "member"."name" AS "member_name"`
const NOTE = `"note"."tenant_id" AS "note_tenant_id", "note"."workspace_id" AS "note_workspace_id", "note"."id" AS "note_id"`
const JOIN = `LEFT JOIN "notes" "note" ON "note"."tenant_id" = "member"."tenant_id" AND "note"."workspace_id" = ? AND "note"."member_id" = "member"."id"`
const PURGE = { binding: { kind: 'platform', purpose: 'purge' } } as const

/** As TypeORM 1.1 writes them: recorded from repositories and query builders over the real driver. */
const typeormReads: CorpusEntry[][] = [
  both(`SELECT ${MEMBER} FROM "members" "member" WHERE (("member"."tenant_id" = ?))`),
  both(`SELECT ${MEMBER} FROM "members" "member" WHERE (("member"."tenant_id" = ?) AND ("member"."id" = ?)) LIMIT 1`),
  both(
    `SELECT ${MEMBER} FROM "members" "member" WHERE (("member"."tenant_id" = ?)) ORDER BY "member"."id" ASC LIMIT 2`,
  ),
  both(`SELECT ${MEMBER} FROM "members" "member" WHERE (("member"."tenant_id" = ?)) LIMIT 1 OFFSET 1`),
  both(
    `SELECT ${MEMBER} FROM "members" "member" WHERE (("member"."tenant_id" = ?) AND ("member"."id" IN (?, ?)) AND (NOT("member"."name" LIKE ?)))`,
  ),
  both(
    `SELECT ${MEMBER} FROM "members" "member" WHERE (((("member"."tenant_id" = ?) AND ("member"."id" = ?))) OR ((("member"."tenant_id" = ?) AND ("member"."id" = ?))))`,
    { params: [T, 'm1', T, 'm2'] },
  ),
  both(
    `SELECT "member"."tenant_id" AS "member_tenant_id", "member"."visits" AS "member_visits" FROM "members" "member" WHERE (("member"."tenant_id" = ? AND "member"."id" = ?) OR ("member"."tenant_id" = ? AND "member"."id" = ?) OR ("member"."tenant_id" = ? AND "member"."id" = ?))`,
    { params: [T, 'm1', T, 'm2', T, 'm3'] },
  ),
  both(
    `SELECT ${MEMBER}, ${NOTE} FROM "members" "member" ${JOIN} WHERE ( "member"."tenant_id" = ? ) AND ( "member"."tenant_id"=? AND "member"."id"=? OR "member"."tenant_id"=? AND "member"."id"=? ) ORDER BY "member"."id" ASC`,
    { params: [W, T, T, 'm1', T, 'm2'] },
  ),
  both(
    `SELECT DISTINCT "distinctAlias"."member_tenant_id" AS "ids_member_tenant_id", "distinctAlias"."member_id" AS "ids_member_id", "distinctAlias"."member_id" FROM (SELECT ${MEMBER}, ${NOTE} FROM "members" "member" ${JOIN} WHERE "member"."tenant_id" = ?) "distinctAlias" ORDER BY "distinctAlias"."member_id" ASC, "member_tenant_id" ASC, "member_id" ASC LIMIT 2 OFFSET 0`,
    { params: [W, T] },
  ),
  both(
    `SELECT 1 AS "row_exists" FROM (SELECT 1 AS dummy_column) "dummy_table" WHERE EXISTS (SELECT 1 FROM "members" "member" WHERE (("member"."tenant_id" = ?) AND ("member"."id" = ?))) LIMIT 1`,
  ),
  both(`SELECT COUNT(1) AS "cnt" FROM "members" "member" WHERE (("member"."tenant_id" = ?))`),
  both(`SELECT SUM("member"."visits") AS "SUM" FROM "members" "member" WHERE (("member"."tenant_id" = ?))`),
  mysql(
    `SELECT COUNT(DISTINCT "member"."tenant_id", "member"."id") AS "cnt" FROM "members" "member" WHERE "member"."tenant_id" = ?`,
  ),
  both(`SELECT COUNT(DISTINCT("member"."id")) AS "cnt" FROM "members" "member" WHERE "member"."tenant_id" = ?`),
  mysql(`SELECT ${MEMBER} FROM "members" "member" WHERE "member"."tenant_id" = ? FOR UPDATE`),
  mysql(`SELECT ${MEMBER} FROM "members" "member" WHERE "member"."tenant_id" = ? LIMIT 1 FOR SHARE`),
  mysql(`SELECT ${MEMBER} FROM "members" "member" WHERE "member"."tenant_id" = ? FOR UPDATE SKIP LOCKED`),
  mysql(`SELECT ${MEMBER} FROM "members" "member" WHERE "member"."tenant_id" = ? FOR UPDATE OF "member" NOWAIT`),
]

const typeormWrites: CorpusEntry[][] = [
  both(`INSERT INTO "members"("tenant_id", "id", "name", "visits", "photo") VALUES (?, ?, ?, 0, NULL)`),
  both(`INSERT INTO "members"("tenant_id", "id", "visits") VALUES (?, ?, 1), (?, ?, -2), (?, ?, 3.5)`),
  mysql(`INSERT INTO "members"("tenant_id", "id", "name", "visits") VALUES (?, ?, ?, DEFAULT)`),
  both(`INSERT INTO "notes"("tenant_id", "workspace_id", "id", "body") VALUES (?, ?, ?, ?), (?, ?, ?, ?)`, {
    params: [T, W, 'n1', '', T, W, 'n2', ''],
  }),
  sqlite(
    `INSERT INTO "members"("tenant_id", "id", "name") VALUES (?, ?, ?) ON CONFLICT ( "tenant_id", "id" ) DO UPDATE SET "name" = EXCLUDED."name" `,
  ),
  sqlite(
    `INSERT INTO "members"("tenant_id", "id", "name") VALUES (?, ?, ?) ON CONFLICT ( "tenant_id", "id" ) DO UPDATE SET "tenant_id" = EXCLUDED."tenant_id", "id" = EXCLUDED."id", "name" = EXCLUDED."name"`,
  ),
  sqlite(
    `INSERT INTO "notes"("tenant_id", "workspace_id", "id", "body") VALUES (?, ?, ?, ?) ON CONFLICT ( "tenant_id", "workspace_id", "id" ) DO UPDATE SET "body" = EXCLUDED."body"`,
    { params: [T, W, 'n1', 'b'] },
  ),
  mysql(
    `INSERT INTO "members"("tenant_id", "id", "name") VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE "name" = VALUES("name") `,
  ),
  mysql(
    `INSERT INTO "members"("tenant_id", "id", "name") VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE "tenant_id" = VALUES("tenant_id"), "id" = VALUES("id"), "name" = VALUES("name")`,
  ),
  both(`UPDATE "members" SET "name" = ? WHERE ("tenant_id" = ? AND "id" = ?)`),
  both(`UPDATE "members" SET "name" = ?, "visits" = "visits" + 1 WHERE "tenant_id" = ? AND "id" = ?`),
  both(`UPDATE "notes" SET "body" = ? WHERE ("tenant_id" = ? AND "workspace_id" = ? AND "id" = ?)`, {
    params: ['b', T, W, 'n1'],
  }),
  both(`DELETE FROM "members" WHERE ("tenant_id" = ? AND "id" = ?)`),
  both(`DELETE FROM "members" WHERE (("tenant_id" = ? AND "id" = ?) OR ("tenant_id" = ? AND "id" = ?))`),
]

/** As a store writes them by hand. */
const handWritten: CorpusEntry[][] = [
  both('SELECT 1'),
  both('SELECT id, name FROM members WHERE tenant_id = ? AND name IS NOT NULL ORDER BY name, id DESC LIMIT ?'),
  both('select id from members where tenant_id = ?'),
  both('SELECT *\nFROM members\nWHERE tenant_id = ?'),
  both("SELECT id FROM members WHERE tenant_id = ? AND name <> ''"),
  both('SELECT id FROM members WHERE tenant_id = ? AND (name = ? OR name IS NULL)'),
  both('SELECT id FROM members WHERE tenant_id = ? AND visits BETWEEN ? AND ? AND NOT (name = ?)'),
  both('SELECT id FROM members WHERE visits + 1 > ? * 2 AND tenant_id = ?'),
  both(
    'SELECT name, COUNT(*) AS total FROM members WHERE tenant_id = ? GROUP BY name HAVING COUNT(*) > ? ORDER BY total',
  ),
  both('SELECT MAX(visits), MIN(visits), COALESCE(SUM(visits), 0) FROM members WHERE tenant_id = ?'),
  both(
    'SELECT m.id FROM members m JOIN roles r ON r.tenant_id = m.tenant_id AND r.id = m.role_id WHERE m.tenant_id = ?',
  ),
  both('SELECT m.id FROM members m INNER JOIN roles r ON r.tenant_id = ? AND m.tenant_id = r.tenant_id'),
  both('SELECT m.*, r.name FROM members m LEFT JOIN roles r ON r.tenant_id = m.tenant_id WHERE m.tenant_id = ?'),
  both(
    'SELECT m.id FROM members m LEFT OUTER JOIN roles r ON r.tenant_id = ? AND r.id = m.role_id WHERE m.tenant_id = ?',
  ),
  both(
    'SELECT a.id FROM members a LEFT JOIN roles b ON b.tenant_id = a.tenant_id LEFT JOIN roles c ON c.tenant_id = b.tenant_id WHERE a.tenant_id = ?',
  ),
  both(
    'SELECT n.id FROM notes n JOIN secrets s ON s.tenant_id = n.tenant_id AND s.workspace_id = n.workspace_id WHERE n.tenant_id = ? AND n.workspace_id = ?',
    { params: [T, W] },
  ),
  both(
    'SELECT m.id FROM members m WHERE m.tenant_id = ? AND m.id IN (SELECT r.owner FROM roles r WHERE r.tenant_id = ?)',
  ),
  both(
    'SELECT m.id FROM members m WHERE m.tenant_id = ? AND NOT EXISTS (SELECT 1 FROM roles r WHERE r.tenant_id = ? AND r.owner = m.id)',
  ),
  both(
    'SELECT m.id, (SELECT COUNT(1) FROM roles r WHERE r.tenant_id = ?) AS roles_owned FROM members m WHERE m.tenant_id = ?',
  ),
  both(
    'SELECT m.id FROM members m WHERE m.tenant_id = ? UNION ALL SELECT r.id FROM roles r WHERE r.tenant_id = ? ORDER BY id LIMIT 5',
  ),
  both('WITH mine AS (SELECT m.id FROM members m WHERE m.tenant_id = ?) SELECT mine.id FROM mine'),
  both('SELECT d.id FROM (SELECT m.id AS id FROM members m WHERE m.tenant_id = ?) d WHERE d.id = ?'),
  both('SELECT id FROM members WHERE tenant_id = ? AND tenant_id = ?'),
  both('UPDATE members SET visits = visits + ?, name = NULL WHERE tenant_id = ? AND id = ?'),
  both(
    'UPDATE members SET name = ? WHERE members.tenant_id = ? AND EXISTS (SELECT 1 FROM roles r WHERE r.tenant_id = ? AND r.owner = members.id)',
  ),
  mysql('DELETE FROM members WHERE tenant_id = ? ORDER BY id LIMIT 100'),
  both('DELETE FROM members WHERE tenant_id = ?'),
  sqlite('INSERT INTO members (tenant_id, id) VALUES (?, ?) ON CONFLICT DO NOTHING'),
  sqlite(
    'INSERT INTO members (tenant_id, id, visits) VALUES (?, ?, 1) ON CONFLICT (tenant_id, id) DO UPDATE SET visits = members.visits + excluded.visits WHERE members.visits < ?',
  ),
  mysql(
    'INSERT INTO members (tenant_id, id, visits) VALUES (?, ?, 1) ON DUPLICATE KEY UPDATE visits = visits + VALUES(visits)',
  ),
]

const otherBindings: CorpusEntry[][] = [
  both('SELECT id FROM notes WHERE tenant_id = ?', { binding: ALL_WORKSPACES_BINDING }),
  both('SELECT id FROM notes WHERE tenant_id = ? AND workspace_id = ?', {
    binding: ALL_WORKSPACES_BINDING,
    params: [T, 'another workspace of the tenant'],
  }),
  both('SELECT id FROM plans', { binding: DIRECTORY_BINDING }),
  both('SELECT c.id FROM cells c JOIN plans p ON p.id = c.plan_id', { binding: DIRECTORY_BINDING }),
  both('UPDATE cells SET name = ? WHERE id = ?', { binding: DIRECTORY_BINDING }),
  both('INSERT INTO cells (id, name) VALUES (?, ?)', { binding: DIRECTORY_BINDING }),
  both('SELECT id, tenant_id FROM members WHERE name = ?', PURGE),
  both('DELETE FROM members WHERE tenant_id = ?', { ...PURGE, params: ['any tenant'] }),
]

/** Statements the guard must let through: refusing one breaks the product. */
export const HONEST: readonly CorpusEntry[] = [typeormReads, typeormWrites, handWritten, otherBindings].flat(2)
