import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signTenantToken } from '../../../src/jwt/sign-tenant-token.ts'
import { productVersion } from '../../../src/version.ts'
import { testAudience, testIssuer, testSigningKey, tokenClaims } from '../../support/tenant-token.ts'

const root = join(import.meta.dirname, '../../..')
const tarball = join(root, 'build/sdk/tenure-sdk.tgz')
const folder = mkdtempSync(join(tmpdir(), 'tenure-sdk-'))

const run = (program: string, args: readonly string[], cwd = folder): string =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const pack = () => run(process.execPath, [join(root, 'scripts/pack-sdk.ts')], root)
const digest = () => createHash('sha256').update(readFileSync(tarball)).digest('hex')

beforeAll(() => {
  pack()
  writeFileSync(join(folder, 'package.json'), '{"private": true, "type": "module"}')
  run('npm', ['install', '--silent', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('packed twice it is the same, and carries the version of the product', () => {
  const first = digest()
  pack()
  expect(digest()).toBe(first)
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/tenure-sdk/package.json'), 'utf8'))
  expect(manifest).toMatchObject({ name: 'tenure-sdk', version: productVersion, license: 'Apache-2.0' })
  for (const version of Object.values(manifest.dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
})

test('installed alone it brings the SQL parser and two packages: no database, no gRPC, nothing of the server', () => {
  const installed = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))
  expect(installed.sort()).toEqual(['@guanmingchiu', 'jose', 'lru-cache', 'tenure-sdk'])
  expect(readdirSync(join(folder, 'node_modules/@guanmingchiu'))).toEqual(['sqlparser-ts'])
  const files = readdirSync(join(folder, 'node_modules/tenure-sdk'), { recursive: true }).map(String)
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'dist/sdk/index.js', 'dist/sdk/index.d.ts']))
  expect(files.filter((name) => /\.ts$/.test(name) && !/\.d\.ts$/.test(name))).toEqual([])
  const rooms = readdirSync(join(folder, 'node_modules/tenure-sdk/dist')).sort()
  expect(rooms).toEqual(['base', 'jwt', 'sdk', 'sql-guard'])
  // Who only verifies has nothing to sign with.
  expect(files.filter((name) => /sign/.test(name))).toEqual([])
})

test('it verifies a token under the Node of the machine and under the one of this product, without a warning', async () => {
  const { made, key } = await testSigningKey()
  const now = Math.floor(Date.now() / 1_000)
  const token = await signTenantToken(tokenClaims({ iat: now, nbf: now, exp: now + 600 }), key)
  const options = { issuer: testIssuer, audience: testAudience, jwks: { keys: [made.publicJwk] } }
  const consumer = `
    import { contextOf, createVerifier } from 'tenure-sdk'
    process.on('warning', (warning) => { throw warning })
    const verifier = createVerifier(${JSON.stringify(options)})
    const context = contextOf(await verifier.verify(${JSON.stringify(token)}), 'prod')
    await new Promise((resolve) => setImmediate(resolve))
    const refused = await verifier.verify('x').catch((error) => error.reason)
    process.stdout.write([context.tenantSlug, context.workspaceSlug, context.has('orders.write'), refused].join(' '))
  `
  writeFileSync(join(folder, 'consumer.mjs'), consumer)
  for (const node of ['node', process.execPath]) expect(run(node, ['consumer.mjs'])).toBe('acme prod true MALFORMED')
})

test('who only verifies tokens loads no SQL parser', () => {
  const seen = `
    import { register } from 'node:module'
    const hooks = 'export async function resolve(name, context, next) { if (name.includes("sqlparser")) throw new Error("loaded " + name); return next(name, context) }'
    register('data:text/javascript,' + encodeURIComponent(hooks))
    const { createVerifier } = await import('tenure-sdk')
    const guard = await import('tenure-sdk/guard').catch((error) => error.message)
    process.stdout.write(typeof createVerifier + ' ' + guard)
  `
  writeFileSync(join(folder, 'without-parser.mjs'), seen)
  expect(run(process.execPath, ['without-parser.mjs'])).toBe('function loaded @guanmingchiu/sqlparser-ts')
})

test('its guard refuses and lets pass from plain JavaScript, under the Node of the machine and the one of this product', () => {
  const consumer = `
    import { createTenantGuard, guardedMysqlPool, guardViolationIn } from 'tenure-sdk/guard'
    const seen = []
    const connection = {
      query: async ({ sql }) => { seen.push(sql); return [[{ modes: '', charset: 'utf8mb4', autocommit: 1 }], []] },
      execute: async ({ sql }) => { seen.push(sql); return [[], []] },
      release() {}, destroy() {},
    }
    const pool = { getConnection: async () => connection, end: async () => {} }
    const guard = await createTenantGuard({ dialect: 'mysql', tables: { orders: { tenant: 'tenant_id' } } })
    const guarded = guardedMysqlPool(guard, pool)
    const context = { tenantUid: '01890000-0000-7000-8000-00000000000a', workspaceUid: undefined }
    const reason = await guarded.withTenant(context, async (db) => {
      await db.table('orders').find()
      return db.query('SELECT * FROM orders').catch((error) => guardViolationIn(error).reason)
    })
    process.stdout.write([reason, seen.length, seen[1]].join(' '))
  `
  writeFileSync(join(folder, 'guard-consumer.mjs'), consumer)
  const ran = 'unpinned-tenant 2 SELECT * FROM `orders` WHERE `tenant_id` = ?'
  for (const node of ['node', process.execPath]) expect(run(node, ['guard-consumer.mjs'])).toBe(ran)
})

test('what its page shows compiles against what is installed, in either TypeScript, and wrong use does not', () => {
  const page = readFileSync(join(root, 'docs/sdk.md'), 'utf8')
  const examples = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)
  expect(examples.length).toBeGreaterThan(1)
  for (const [index, code] of examples.entries()) writeFileSync(join(folder, `example-${index}.ts`), code)
  const strict = { strict: true, noEmit: true, module: 'nodenext', target: 'es2022', types: ['node'] }
  const compilerOptions = {
    ...strict,
    exactOptionalPropertyTypes: true,
    typeRoots: [join(root, 'node_modules/@types')],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  const check = (compiler: string): string => {
    try {
      return run(process.execPath, [join(root, 'node_modules', compiler), '-p', '.'])
    } catch (error) {
      return String((error as { stdout?: unknown }).stdout)
    }
  }
  const compilers = ['@typescript/native/bin/tsc', 'typescript/bin/tsc6']
  for (const compiler of compilers) expect(check(compiler)).toBe('')
  const wrong = `import { createVerifier } from 'tenure-sdk'\ncreateVerifier({ issuer: 'x', jwks: 'https://x/' })\n`
  writeFileSync(join(folder, 'wrong.ts'), wrong)
  for (const compiler of compilers) expect(check(compiler)).toContain("'audience' is missing")
}, 180_000)
