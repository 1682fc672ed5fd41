// Who may import what: the import table of docs/architecture.md as rules. A path that no rule allows is an error.
const { readdirSync } = require('node:fs')
const { join } = require('node:path')

const areas = [
  'tenants',
  'people',
  'access',
  'credentials',
  'secrets',
  'settings',
  'metering',
  'placement',
  'assurance',
  'operations',
]
const anyArea = `(?:${areas.join('|')})`

/** Composition root: everything may come together here and nowhere else. The one place above the areas. */
const root =
  '^src/(?:main|server|platform|platform-changes|feeds|storage-parts|storage-check|platform-keys|platform-credential|audit-checkpoints|keys|service-list|background|doctor|doctor-finding|doctor-keyring|doctor-server|jobs|guard-refusals|forged-rows|platform-codes|deciding|diagnosis|pipeline-calls|tables|bootstrap|restored|version)\\.ts$'

/** A noun is what has a table: `<noun>-table.ts` gives `<noun>.ts` its name. */
function nouns() {
  const src = join(__dirname, 'src')
  const found = readdirSync(src, { recursive: true }).map((path) => path.replaceAll('\\', '/'))
  return found
    .filter((path) => path.endsWith('-table.ts') && areas.includes(path.split('/')[0]))
    .map((path) => `^src/${path.slice(0, -'-table.ts'.length)}\\.ts$`)
}
const nounFiles = nouns()
const tableFiles = `^src/${anyArea}/.+-table\\.ts$`
const storeFiles = `^src/${anyArea}/.+-store\\.ts$`

/** Our own modules outside `allowed` are refused to those that match `from`. */
function layer(name, from, allowed, comment) {
  return {
    name,
    comment,
    severity: 'error',
    from: typeof from === 'string' ? { path: from } : from,
    to: { path: '^src/', pathNot: allowed },
  }
}

/** A package is imported by those that match `from`, and by nobody else. */
function door(packageName, from, types = []) {
  return {
    name: `door-of-${packageName.replaceAll(/[@/:]+/g, '-').replace(/^-/, '')}`,
    comment: `${packageName} has one door; go through it`,
    severity: 'error',
    from: { path: '^src/', pathNot: [from, ...types] },
    to: {
      path: packageName.startsWith('node:') ? `^(?:node:)?${packageName.slice(5)}$` : `^node_modules/${packageName}/`,
    },
  }
}

const layers = [
  layer('base', '^src/base/', '^src/base/', 'base imports nothing of ours'),
  layer('leaves', '^src/(jwt|sql-guard)/', ['^src/base/', '^src/$1/'], 'refusals and events go to an injected sink'),
  layer('observe', '^src/observe/', ['^src/base/', '^src/observe/'], 'logs and metrics know no noun'),
  layer('config', '^src/config/', ['^src/base/', '^src/config/'], 'settings know no part they set'),
  layer(
    'storage',
    '^src/storage/',
    ['^src/(?:base|observe|sql-guard|storage)/'],
    'entities and migrations come in as arguments',
  ),
  layer(
    'tenancy',
    '^src/tenancy/',
    ['^src/(?:base|observe|storage|sql-guard|tenancy)/', '^src/gen/tenure/internal/'],
    'the kernel speaks neither the public API nor any noun',
  ),
  layer(
    'keyring',
    '^src/keyring/',
    ['^src/(?:base|observe|keyring)/', '^src/gen/tenure/internal/'],
    'a keyring knows keys, not who asks',
  ),
  layer(
    'keyring-adapters',
    '^src/keyring/(local|vault)/',
    ['^src/(?:base|observe)/', '^src/gen/tenure/internal/', '^src/keyring/[^/]+$', '^src/keyring/$1/'],
    'adapters never import each other',
  ),
  layer(
    'rpc',
    '^src/rpc/',
    ['^src/(?:base|tenancy|observe|gen|rpc)/'],
    'implementations of the ports are injected by the composition root',
  ),
  layer(
    'transport',
    '^src/transport/([^/]+)/',
    ['^src/(?:rpc|gen|base|observe)/', '^src/transport/$1/'],
    'transports never import each other; http gets its routes injected',
  ),
  layer(
    'sdk',
    '^src/sdk/',
    ['^src/(?:gen|base|jwt|sql-guard|sdk)/'],
    'what others install carries nothing of the server',
  ),
  layer(
    'cli',
    '^src/cli/',
    // The words of the command line need the generated messages, and `call` the one list of services.
    [root, '^src/(?:base|config|sdk|jwt|sql-guard|gen|cli)/', '^src/rpc/(?:services|packed-messages)\\.ts$'],
    'the command line reaches the parts through the composition root',
  ),
  layer('gen', '^src/gen/', '^src/gen/', 'generated code stands alone'),
]

const areaRules = [
  layer('area-noun', { path: nounFiles }, ['^src/base/'], 'types and rules of a noun are pure'),
  // A table names the shape of its row, which is a type of its own noun.
  layer('area-table', `^src/(${anyArea}/.+)-table\\.ts$`, ['^src/base/', '^src/$1\\.ts$'], 'a table is columns'),
  {
    name: 'area-table-is-columns',
    comment: 'of its noun a table imports types only',
    severity: 'error',
    from: { path: tableFiles },
    to: { path: nounFiles, dependencyTypesNot: ['type-only'] },
  },
  layer(
    'area',
    { path: `^src/(${anyArea})/`, pathNot: [...nounFiles, tableFiles] },
    [
      '^src/(?:base|tenancy|jwt|observe|gen)/',
      '^src/keyring/[^/]+$',
      '^src/rpc/call\\.ts$',
      // A job is what an area gives the runner of operations, and an operation is what it answers.
      '^src/operations/(?:job|operation-proto)\\.ts$',
      '^src/$1/',
      // Another area: its nouns and stores, never its services or tables. The rest is listed below, each by name.
      ...nounFiles,
      storeFiles,
      // The ports of the pipeline (authenticator, gate, demands, freshness) are implemented by areas. Types only, by
      // the rule `area-ports-are-types`.
      '^src/rpc/ports\\.ts$',
      // "Nobody grants what they do not hold" is one rule, and everything that grants has to ask it. Types only.
      '^src/access/(?:grants|access-diff|statements)\\.ts$',
      // Finds the principal a name stands for, over the two stores of people; keys have principals as owners.
      '^src/people/principal-named\\.ts$',
      // What the authenticator alone may reach, by the rule `access-engine`.
      '^src/access/(?:engines|verify-secret)\\.ts$',
      '^src/access/engine/(?:facts|tenant-snapshot)\\.ts$',
    ],
    'an area reaches the platform, and of other areas their nouns and stores',
  ),
  {
    name: 'area-ports-are-types',
    comment: 'ports and rules of another room are injected: an area imports their types, never the thing',
    severity: 'error',
    from: { path: `^src/(${anyArea})/` },
    to: {
      path: ['^src/rpc/ports\\.ts$', '^src/access/(?:grants|engines|statements)\\.ts$', '^src/access/engine/'],
      pathNot: '^src/$1/',
      dependencyTypesNot: ['type-only'],
    },
  },
  {
    name: 'access-engine',
    comment: 'memory of who may do what is asked through the gate; only the authenticator looks a credential up in it',
    severity: 'error',
    from: { path: `^src/${anyArea}/`, pathNot: ['^src/access/', '^src/credentials/authenticator\\.ts$'] },
    to: { path: '^src/access/(?:engine/|engines\\.ts$|verify-secret\\.ts$)' },
  },
  {
    name: 'principal-named',
    comment: 'only a key, of another area, has a principal for its owner',
    severity: 'error',
    from: { path: `^src/${anyArea}/`, pathNot: ['^src/people/', '^src/credentials/'] },
    to: { path: '^src/people/principal-named\\.ts$' },
  },
]

const typeormTypes = ['^src/tenancy/', tableFiles, '^src/tables\\.ts$']
const doors = [
  door('jose', '^src/jwt/'),
  door('@guanmingchiu/sqlparser-ts', '^src/sql-guard/'),
  door('pino', '^src/observe/'),
  door('prom-client', '^src/observe/'),
  door('@opentelemetry', '^src/observe/'),
  door('zod', '^src/config/'),
  door('yaml', '^src/config/'),
  door('typeorm', '^src/storage/', typeormTypes),
  door('mysql2', '^src/storage/'),
  door('node:sqlite', '^src/storage/sqlite/'),
  door('node-vault', '^src/keyring/vault/'),
  door('(?:ajv|ajv-formats|@bufbuild/re2|@marcbachmann/cel-js)', `^src/${anyArea}/`),
  door('@bufbuild/protovalidate', '^src/rpc/'),
  door('@grpc/grpc-js', '^src/transport/grpc/'),
  door('@connectrpc/connect-node', '^src/transport/connect/', ['^src/cli/']),
  door('@connectrpc/connect', '^src/transport/connect/', ['^src/cli/', '^src/sdk/']),
  door('commander', '^src/cli/'),
  door('node:http2', '^src/transport/'),
  {
    name: 'typeorm-in-the-kernel',
    comment: 'a table is made with EntitySchema; everything else of typeorm is a type outside storage',
    severity: 'error',
    from: {
      path: ['^src/tenancy/', '^src/tables\\.ts$'],
      // Tables of the kernel itself; the last two keep their one table beside its only queries.
      pathNot: ['-table\\.ts$', '-tables\\.ts$', '^src/tenancy/(?:retired-names|sealed-key)\\.ts$'],
    },
    to: { path: '^node_modules/typeorm/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'protobuf-above-the-leaves',
    comment: '@bufbuild/protobuf is free above the leaves',
    severity: 'error',
    from: { path: '^src/(?:base|jwt|sql-guard|observe|config|storage)/' },
    to: { path: '^node_modules/@bufbuild/protobuf/' },
  },
  {
    name: 'lru-cache-outside-base',
    comment: 'base remembers nothing',
    severity: 'error',
    from: { path: '^src/base/' },
    to: { path: '^node_modules/lru-cache/' },
  },
  {
    name: 'base-without-io',
    comment: 'base is pure: no files, no network, no processes',
    severity: 'error',
    from: { path: '^src/base/' },
    to: { dependencyTypes: ['core'], pathNot: '^(?:node:)?crypto$' },
  },
]

const general = [
  {
    name: 'no-cycles',
    comment: 'only types may close a circle: nothing of it is left when the program runs',
    severity: 'error',
    from: { path: '^(?:src|test|scripts)/' },
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  {
    name: 'no-orphans',
    comment: 'a source file that neither the program nor the SDK reaches is dead',
    severity: 'error',
    from: { path: '^src/(?:main|sdk/index|sdk/guard/index)\\.ts$' },
    // Generated files come with their proto, needed or not; the beginnings need nobody to reach them.
    to: { path: '^src/', pathNot: '^src/(?:gen/|(?:main|sdk/index|sdk/guard/index)\\.ts$)', reachable: false },
  },
  {
    name: 'no-test-in-src',
    comment: 'what runs in production never imports what tests it',
    severity: 'error',
    from: { path: '^src/' },
    to: { path: '^(?:test|scripts)/' },
  },
  {
    name: 'no-root-below',
    comment: 'nothing below the composition root imports it',
    severity: 'error',
    from: { path: '^src/', pathNot: [root, '^src/cli/'] },
    to: { path: root },
  },
  {
    name: 'no-development-packages',
    comment: 'the program runs without what builds it',
    severity: 'error',
    from: { path: '^src/' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'no-unresolvable',
    comment: 'an import that leads nowhere',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
]

module.exports = {
  forbidden: [...layers, ...areaRules, ...doors, ...general],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
