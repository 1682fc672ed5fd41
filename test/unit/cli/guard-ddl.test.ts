import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { StartError } from '../../../src/base/start-error.ts'
import { type GuardDdlOptions, guardDdl } from '../../../src/cli/guard-command.ts'
import { openPostgres, type Postgres } from '../../rigs/postgres/open-postgres.ts'

// What the command prints, run by a real PostgreSQL, and looked at by the role a service would have.

const program = join(import.meta.dirname, '../../../bin/tenure')
const folder = mkdtempSync(join(tmpdir(), 'tenure-ddl-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const tables = `
tables:
  orders: {tenant: tenant_id, workspace: workspace_id}
  invoices: {tenant: account_id, upserts: true}
sharedTables: [countries]
`

function fileOf(text: string): string {
  const path = join(folder, 'tables.yaml')
  writeFileSync(path, text)
  return path
}

const ddl = (text: string, options: Partial<GuardDdlOptions> = {}): string =>
  guardDdl({ postgres: true, tables: fileOf(text), keyType: 'text', ...options })

let postgres: Postgres
beforeAll(async () => {
  postgres = await openPostgres()
  await postgres.exec(`
    CREATE ROLE owner; CREATE ROLE service;
    CREATE TABLE orders (tenant_id text, workspace_id text, id text, PRIMARY KEY (tenant_id, workspace_id, id));
    CREATE TABLE invoices (account_id text, id text, PRIMARY KEY (account_id, id));
    CREATE TABLE countries (code text PRIMARY KEY);
    ALTER TABLE orders OWNER TO owner; ALTER TABLE invoices OWNER TO owner; ALTER TABLE countries OWNER TO owner;
    GRANT SELECT, INSERT, UPDATE, DELETE ON orders, invoices, countries TO service`)
  // Run twice, as an operator does who adds a table.
  for (const _ of [1, 2]) await postgres.exec(`SET ROLE owner; ${ddl(tables)} RESET ROLE`)
})
afterAll(() => postgres?.[Symbol.asyncDispose]())
beforeEach(async () => {
  await postgres.exec(`RESET ROLE; DELETE FROM orders; DELETE FROM invoices;
    INSERT INTO orders VALUES ('acme', 'prod', 'a1'), ('acme', 'staging', 'a2'), ('globex', 'prod', 'g1');
    INSERT INTO invoices VALUES ('acme', 'ia'), ('globex', 'ig');`)
})

/** In a transaction of its own, as a service that has said whose it is, or has not. */
async function as<T>(
  place: readonly [string, string] | undefined,
  work: () => Promise<T>,
  role = 'service',
): Promise<T> {
  await postgres.exec(`BEGIN; SET LOCAL ROLE ${role}`)
  try {
    if (place !== undefined) {
      const set = "SELECT set_config('tenure.tenant_id', $1, true), set_config('tenure.workspace_id', $2, true)"
      await postgres.query(set, [...place])
    }
    const answer = await work()
    await postgres.exec('COMMIT')
    return answer
  } catch (error) {
    await postgres.exec('ROLLBACK')
    throw error
  }
}

const orders = async () => (await postgres.query('SELECT id FROM orders ORDER BY id')).map(({ id }) => id)
const invoices = async () => (await postgres.query('SELECT id FROM invoices ORDER BY id')).map(({ id }) => id)
const insert = (...row: readonly string[]) => postgres.query('INSERT INTO orders VALUES ($1, $2, $3)', row)

const acme = ['acme', 'prod'] as const

describe('on PostgreSQL', () => {
  test('a query without any condition sees the rows of its tenant and workspace, and no others', async () => {
    expect(await as(acme, orders)).toEqual(['a1'])
    expect(await as(acme, invoices)).toEqual(['ia'])
    expect(await as(['globex', 'prod'], orders)).toEqual(['g1'])
    expect(await as(['globex', 'staging'], orders)).toEqual([])
    // The owner of the tables too.
    expect(await as(acme, orders, 'owner')).toEqual(['a1'])
  })

  test('who has not said whose it is sees nothing and writes nothing, also after somebody else’s transaction', async () => {
    expect(await as(undefined, orders)).toEqual([])
    await as(acme, orders)
    expect(await as(undefined, orders)).toEqual([])
    expect(await as(undefined, orders, 'owner')).toEqual([])
    await expect(as(undefined, () => insert('acme', 'prod', 'x'))).rejects.toThrow('row-level security')
    await expect(as(['', ''], () => insert('', '', 'x'))).rejects.toThrow('row-level security')
    await as(undefined, () => postgres.exec('DELETE FROM orders'))
    expect(await orders()).toEqual(['a1', 'a2', 'g1'])
  })

  test('no row is written into another place, nor moved there', async () => {
    await as(acme, () => insert('acme', 'prod', 'x'))
    await expect(as(acme, () => insert('globex', 'prod', 'x'))).rejects.toThrow('row-level security')
    await expect(as(acme, () => insert('acme', 'staging', 'x'))).rejects.toThrow('row-level security')
    const move = "UPDATE orders SET tenant_id = 'globex'"
    await expect(as(acme, () => postgres.exec(move))).rejects.toThrow('row-level security')
    await as(acme, () => postgres.exec('DELETE FROM orders'))
    expect(await orders()).toEqual(['a2', 'g1'])
  })

  test('a policy somebody adds cannot open what these close', async () => {
    await postgres.exec('CREATE POLICY everything ON orders FOR ALL TO PUBLIC USING (true) WITH CHECK (true)')
    try {
      expect(await as(acme, orders)).toEqual(['a1'])
      expect(await as(undefined, orders)).toEqual([])
    } finally {
      await postgres.exec('DROP POLICY everything ON orders')
    }
  })

  test('shared tables are left as they are, and keys may be uuids in a schema', async () => {
    await as(undefined, () => postgres.exec("INSERT INTO countries VALUES ('de')"))
    expect(await postgres.query('SELECT code FROM countries')).toEqual([{ code: 'de' }])
    await postgres.exec(`CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO service;
      CREATE TABLE shop.orders (tenant_id uuid, id text); GRANT SELECT, INSERT ON shop.orders TO service;`)
    await postgres.exec(ddl('{"tables": {"orders": {"tenant": "tenant_id"}}}', { schema: 'shop', keyType: 'uuid' }))
    const uid = '01890000-0000-7000-8000-00000000000a'
    await as([uid, ''], () => postgres.query('INSERT INTO shop.orders VALUES ($1, $2)', [uid, 'x']))
    expect(await as([uid, ''], () => postgres.query('SELECT id FROM shop.orders'))).toEqual([{ id: 'x' }])
    expect(await as(undefined, () => postgres.query('SELECT id FROM shop.orders'))).toEqual([])
  })
})

describe('what it cannot do it says, with what to do', () => {
  test.each<readonly [string, Partial<GuardDdlOptions>, string]>([
    ['no database', { postgres: false }, 'tenure guard ddl --postgres'],
    ['a file that is not there', { tables: 'nowhere.yaml' }, 'cannot be read (ENOENT)'],
    ['a schema that is none', { schema: 'a"b' }, '--schema is one name'],
    ['a type that is none', { keyType: 'int' }, '--key-type is text or uuid'],
  ])('%s', (_name, options, words) => {
    expect(() => ddl(tables, options)).toThrow(StartError)
    expect(() => ddl(tables, options)).toThrow(words)
  })

  test.each<readonly [string, string, string]>([
    ['no YAML', 'tables: {', 'is not valid YAML at line 1'],
    ['a list', '[orders]', 'has to list tables by name'],
    ['no tables', 'tables: {}', 'has no tables'],
    ['a table twice', 'tables:\n  a: {tenant: t}\n  a: {tenant: u}', 'is not valid YAML'],
    ['another name', 'tables: {a: {tenant: t}}\nshared: [b]', 'remove "shared"'],
    ['a misspelt key', 'tables: {a: {tenant: t, workspaces: w}}', 'remove "workspaces"'],
    ['no key', 'tables: {a: {}}', 'has to name its key columns'],
    ['a name that is none', `tables: {'a"; DROP TABLE b; --': {tenant: t}}`, 'is no table the guard can know'],
    ['a column that is none', `tables: {a: {tenant: 't" = ""; --'}}`, 'has to name its key columns'],
    ['shared and not', 'tables: {a: {tenant: t}}\nsharedTables: [a]', 'listed twice'],
    ['shared tables that are none', 'tables: {a: {tenant: t}}\nsharedTables: a', 'has to be a list'],
  ])('%s', (_name, text, words) => {
    expect(() => ddl(text)).toThrow(StartError)
    expect(() => ddl(text)).toThrow(words)
  })
})

test('the command prints the statements alone, and refuses with a sentence and 1', () => {
  const run = (...args: readonly string[]) => spawnSync(program, ['guard', 'ddl', ...args], { encoding: 'utf8' })
  expect(run('--postgres', '--tables', fileOf(tables))).toMatchObject({ status: 0, stdout: ddl(tables), stderr: '' })
  const refused = run('--postgres')
  expect(refused).toMatchObject({ status: 1, stdout: '' })
  expect(refused.stderr).toBe('tenure: Name the file of your tables: --tables tables.yaml.\n')
}, 60_000)
