import type { GuardRefusalReason } from '../../../src/sql-guard/guard-refusal.ts'
import {
  ALL_WORKSPACES_BINDING,
  both,
  type CorpusEntry,
  DIRECTORY_BINDING,
  OTHER_TENANT,
  OTHER_WORKSPACE,
  T,
  W,
} from './corpus-binding.ts'

const NOBODY = { binding: { kind: 'platform', purpose: 'constructor' } } as const

/** Statements that are sound in themselves, with the wrong values or under the wrong binding. */
export const HOSTILE_BINDINGS: Readonly<Partial<Record<GuardRefusalReason, CorpusEntry[][]>>> = {
  'foreign-tenant': [
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [OTHER_TENANT] }),
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [T.toUpperCase()] }),
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [`${T} `] }),
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [0] }),
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [null] }),
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [Buffer.from(T)] }),
    both('SELECT id FROM members WHERE id = ? AND tenant_id = ?', { params: [T, OTHER_TENANT] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND tenant_id = ?', { params: [T, OTHER_TENANT] }),
    both('SELECT id FROM members WHERE (tenant_id = ? AND id = ?) OR (tenant_id = ? AND id = ?)', {
      params: [T, 'a', OTHER_TENANT, 'b'],
    }),
    both('INSERT INTO members (tenant_id, id) VALUES (?, ?), (?, ?)', { params: [T, 'a', OTHER_TENANT, 'b'] }),
    both('UPDATE members SET name = ? WHERE tenant_id = ?', { params: [T, OTHER_TENANT] }),
    both('DELETE FROM members WHERE tenant_id = ?', { params: [OTHER_TENANT] }),
    both('SELECT id FROM notes WHERE tenant_id = ?', { params: [OTHER_TENANT], binding: ALL_WORKSPACES_BINDING }),
    both('SELECT m.id FROM members m WHERE m.tenant_id = ? UNION SELECT r.id FROM roles r WHERE r.tenant_id = ?', {
      params: [T, OTHER_TENANT],
    }),
  ],
  'foreign-workspace': [
    both('SELECT id FROM notes WHERE tenant_id = ? AND workspace_id = ?', { params: [T, OTHER_WORKSPACE] }),
    both('SELECT id FROM notes WHERE workspace_id = ? AND tenant_id = ?', { params: [T, T] }),
    both('INSERT INTO notes (tenant_id, workspace_id, id) VALUES (?, ?, ?)', { params: [T, OTHER_WORKSPACE, 'n'] }),
  ],
  'unpinned-workspace': [
    both('SELECT id FROM notes WHERE tenant_id = ?'),
    both('SELECT id FROM notes WHERE tenant_id = ? AND (workspace_id = ? OR id = ?)', { params: [T, W, 'n'] }),
    both(
      'SELECT n.id FROM notes n JOIN secrets s ON s.tenant_id = n.tenant_id WHERE n.tenant_id = ? AND n.workspace_id = ?',
      {
        params: [T, W],
      },
    ),
    both('DELETE FROM notes WHERE tenant_id = ? AND id = ?'),
    both('INSERT INTO notes (tenant_id, id) VALUES (?, ?)'),
  ],
  'parameter-count': [
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [] }),
    both('SELECT id FROM members WHERE tenant_id = ?', { params: [T, T] }),
    both('COMMIT', { params: [T] }),
  ],
  'parameter-type': [
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, { toSqlString: () => '1 OR 1' }] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, [T, 'x']] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, {}] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, new String('x')] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, undefined] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, Number.NaN] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, Number.POSITIVE_INFINITY] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, new Date(Number.NaN)] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, 2n ** 63n] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, () => T] }),
    both('SELECT id FROM members WHERE tenant_id = ? AND id = ?', { params: [T, Object.create(null)] }),
  ],
  'platform-table': [
    both('SELECT id FROM cells'),
    both('SELECT m.id FROM members m JOIN plans p ON p.id = m.plan_id WHERE m.tenant_id = ?'),
    both('SELECT id FROM members WHERE tenant_id = ?', { binding: DIRECTORY_BINDING }),
    both('DELETE FROM members WHERE tenant_id = ?', { binding: DIRECTORY_BINDING }),
    both('UPDATE cells SET name = ? WHERE EXISTS (SELECT 1 FROM members m WHERE m.id = cells.id)', {
      binding: DIRECTORY_BINDING,
    }),
  ],
  'platform-read-only': [
    both('UPDATE plans SET name = ?', { binding: DIRECTORY_BINDING }),
    both('DELETE FROM plans', { binding: DIRECTORY_BINDING }),
    both('INSERT INTO plans (id) VALUES (?)', { binding: DIRECTORY_BINDING }),
  ],
  'unknown-purpose': [both('SELECT id FROM cells', NOBODY), both('SELECT 1', NOBODY)],
}
