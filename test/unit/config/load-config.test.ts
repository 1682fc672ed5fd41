import { describe, expect, test } from 'vitest'
import { settings } from '../../../src/config/settings.ts'
import { load, loadYaml, problemsOf } from './config-rig.ts'

describe('what nobody sets has the documented default', () => {
  test('an empty environment is the embedded default on loopback', () => {
    expect(load()).toEqual({
      grpcAddress: { host: '127.0.0.1', port: 7080 },
      httpAddress: { host: '127.0.0.1', port: 7081 },
      dataKeyCacheMs: 300_000,
      database: { engine: 'sqlite', file: '.tenure/tenure.db' },
      databasePool: { readers: 8, writers: 16 },
      keyring: { kind: 'local', folder: '.tenure/keyring' },
      rootKeyFile: '.tenure/root-api-key',
      issuer: 'http://127.0.0.1:7081',
      audience: 'tenure',
      environment: 'dev',
      replica: 'replica-1',
      tls: undefined,
      insecureListen: false,
      logLevel: 'info',
      limits: {
        maxInFlightReads: 2048,
        maxInFlightWrites: 256,
        maxDeadlineMs: 30_000,
        maxTenantsInMemory: 10_000,
        drainMs: 10_000,
      },
      access: { maxStalenessMs: 30_000, maxStalenessByPermission: {} },
      diagnosticsIntervalMs: 3_600_000,
      alerts: undefined,
      auditCheckpoints: { sink: { kind: 'file', path: '.tenure/audit-checkpoints.jsonl' }, secret: undefined },
      cells: [{ id: 'local', region: 'local' }],
    })
  })

  test('no secret has a default, but for a database that is a file and so needs none', () => {
    const withDefault = Object.entries(settings).filter(([, row]) => 'isSecret' in row && 'fallback' in row)
    expect(withDefault.map(([name]) => name)).toEqual(['database'])
    expect(settings.database.fallback).toMatch(/^sqlite:/)
  })

  test('a configuration cannot be changed after it is loaded, at any depth', () => {
    const config = load()
    for (const part of [
      config,
      config.database,
      config.limits,
      config.access.maxStalenessByPermission,
      config.cells[0],
    ]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })
})

describe('the environment and the YAML file', () => {
  const yaml = `
grpc: { address: "[::1]:0" }
http:
  address: localhost:9001
database: { url: "sqlite:/data/t.db", readers: 3, writers: 2 }
keyring: local:/data/keys
rootKeyFile: /data/root
issuer: https://tenure.example.com/eu
audience: tenure-eu
environment: prod1
replica: eu-2
insecureListen: false
log: { level: trace }
limits: { maxInFlightReads: 5, maxInFlightWrites: 4, maxDeadlineMs: 100, maxTenantsInMemory: 3, drainMs: 0 }
access:
  maxStalenessMs: 5000
  maxStalenessByPermission: { orders.refund: 0, orders.read: 5000 }
diagnostics: { intervalMs: 60000 }
alerts: { url: https://alerts.example.com/hook, secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz }
cells:
  - { id: eu-1, region: eu }
`

  test('every setting can come from YAML', () => {
    expect(loadYaml(yaml)).toMatchObject({
      grpcAddress: { host: '::1', port: 0 },
      httpAddress: { host: 'localhost', port: 9001 },
      database: { engine: 'sqlite', file: '/data/t.db' },
      databasePool: { readers: 3, writers: 2 },
      keyring: { kind: 'local', folder: '/data/keys' },
      rootKeyFile: '/data/root',
      issuer: 'https://tenure.example.com/eu',
      audience: 'tenure-eu',
      environment: 'prod1',
      replica: 'eu-2',
      insecureListen: false,
      logLevel: 'trace',
      limits: { maxInFlightReads: 5, maxInFlightWrites: 4, maxDeadlineMs: 100, maxTenantsInMemory: 3, drainMs: 0 },
      access: { maxStalenessMs: 5000, maxStalenessByPermission: { 'orders.refund': 0, 'orders.read': 5000 } },
      diagnosticsIntervalMs: 60_000,
      alerts: { url: 'https://alerts.example.com/hook', secret: Buffer.from('012345678901234567890123') },
      cells: [{ id: 'eu-1', region: 'eu' }],
    })
  })

  test('the environment wins over the file', () => {
    const env = { TENURE_AUDIENCE: 'from-env', TENURE_DRAIN_MS: '7', TENURE_INSECURE_LISTEN: 'true' }
    const config = loadYaml(yaml, env)
    expect([config.audience, config.limits.drainMs, config.insecureListen]).toEqual(['from-env', 7, true])
    expect(config.replica).toBe('eu-2')
  })

  test('a value in the file that the environment replaces is not judged', () => {
    expect(loadYaml('log: { level: loud }', { TENURE_LOG_LEVEL: 'warn' }).logLevel).toBe('warn')
  })

  test('an empty file sets nothing', () => {
    expect(loadYaml('')).toEqual(load())
    expect(loadYaml('# nothing\n')).toEqual(load())
  })

  test.each([
    ['grcp: { address: "127.0.0.1:1" }', 'grcp in tenure.yaml is not a setting'],
    ['limits: { drain_ms: 1 }', 'limits.drain_ms in tenure.yaml is not a setting'],
    ['limits.drainMs: 1', 'limits.drainMs in tenure.yaml is not a setting'],
    ['__proto__: { audience: x }', '__proto__ in tenure.yaml is not a setting'],
    ['constructor: 1', 'constructor in tenure.yaml is not a setting'],
    ['limits: 5', 'limits in tenure.yaml must be a group'],
    ['limits:', 'limits in tenure.yaml must be a group'],
    ['- a', 'tenure.yaml must be a group'],
    ['audience: a\naudience: b', 'not valid YAML at line 2'],
    ['audience: [', 'not valid YAML at line 1'],
    ['audience: !!secret x', 'not valid YAML'],
    ['audience: *nothing', 'not valid YAML'],
    ['a: 1\n---\na: 2', 'not valid YAML'],
    ['audience:', 'audience in tenure.yaml is empty'],
    ['audience: 5', 'audience in tenure.yaml must be text'],
    ['limits: { drainMs: "5" }', 'limits.drainMs in tenure.yaml must be a whole number'],
    ['insecureListen: "true"', 'insecureListen in tenure.yaml must be true or false'],
    ['access: { maxStalenessByPermission: 5 }', 'must be a map of permission to milliseconds'],
    ['access: { maxStalenessByPermission: [orders.read] }', 'must be a map of permission to milliseconds'],
    ['access: { maxStalenessByPermission: }', 'must be a map of permission to milliseconds'],
    [
      'access: { maxStalenessByPermission: { orders: 5 } }',
      'access.maxStalenessByPermission.orders in tenure.yaml is no',
    ],
    ['access: { maxStalenessByPermission: { __proto__: 5 } }', 'is no permission; write its name as noun.verb'],
    [
      'access: { maxStalenessByPermission: { orders.read: -1 } }',
      'orders.read in tenure.yaml must be a whole number from 0',
    ],
    ['access: { maxStalenessByPermission: { orders.read: 1.5 } }', 'must be a whole number from 0 to 86400000'],
    ['access: { maxStalenessByPermission: { orders.read: "5" } }', 'must be a whole number from 0 to 86400000'],
    ['access: { maxStalenessByPermission: { orders.read: 86400001 } }', 'must be a whole number from 0 to 86400000'],
    ['cells: []', 'must list at least one cell'],
    ['cells: [{ id: a, region: b, databaseUrl: x }]', 'cells[0] in tenure.yaml has the unknown key "databaseUrl"'],
    ['cells: [{ id: A, region: b }]', 'cells[0].id in tenure.yaml must be 1 to 40'],
    ['cells: [{ id: a, region: b }, { id: c, region: d }]', 'must list one cell'],
    ['cells: local', 'must be a list of {id, region}'],
  ])('%j stops the start with one sentence', (text, sentence) => {
    const problems = problemsOf(() => loadYaml(text))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(sentence)
  })

  test('a file that cannot be read stops the start, and nothing is concluded from what it might have said', () => {
    const missing = problemsOf(() => load({ TENURE_CONFIG: 'gone.yaml', TENURE_HTTP_ADDRESS: '0.0.0.0:1' }))
    expect(missing).toEqual([
      'TENURE_CONFIG names gone.yaml, which cannot be read (ENOENT); mend the path or its permissions.',
    ])
    const binary = problemsOf(() => load({ TENURE_CONFIG: 'x' }, { x: new Uint8Array([0xff, 0xfe]) }))
    expect(binary).toHaveLength(1)
    const huge = problemsOf(() => load({ TENURE_CONFIG: 'x' }, { x: new Uint8Array(1024 * 1024 + 1) }))
    expect(huge[0]).toContain('more than 1 MiB')
  })

  test('a chain of aliases that would fill memory is refused', () => {
    const levels = Array.from({ length: 12 }, (_, level) => `a${level}: &a${level} [${`*a${level - 1},`.repeat(10)}]`)
    const bomb = ['a: &a-1 [x]', ...levels].join('\n').replaceAll('&a-1', '&z').replaceAll('*a-1', '*z')
    expect(problemsOf(() => loadYaml(bomb)).join()).toContain('aliases')
  })

  test('what the file says is not repeated by a parse error: it may hold a secret', () => {
    expect(problemsOf(() => loadYaml('password: "hunter2')).join()).not.toContain('hunter2')
  })
})

describe('variables nobody knows', () => {
  test('a misspelt variable is named', () => {
    expect(problemsOf(() => load({ TENURE_GRCP_ADDRESS: '127.0.0.1:1' }))).toEqual([
      'TENURE_GRCP_ADDRESS is not a setting; correct its name or unset it (docs/settings.md lists them all).',
    ])
    expect(problemsOf(() => load({ TENURE_GRPC_PORT: '7080' }))).toHaveLength(1)
    expect(problemsOf(() => load({ TENURE_CONFIG: '' }))).toHaveLength(1)
  })

  test('variables of others are not looked at', () => {
    expect(load({ PATH: '/bin', TENUREX: 'y', MY_TENURE_X: 'z' })).toEqual(load())
  })

  test('the links Kubernetes sets for a service named tenure do not stop the start', () => {
    const links = {
      TENURE_SERVICE_HOST: '10.0.0.1',
      TENURE_SERVICE_PORT: '7080',
      TENURE_SERVICE_PORT_GRPC: '7080',
      TENURE_PORT: 'tcp://10.0.0.1:7080',
      TENURE_PORT_7080_TCP: 'tcp://10.0.0.1:7080',
      TENURE_PORT_7080_TCP_ADDR: '10.0.0.1',
      TENURE_GRPC_SERVICE_HOST: '10.0.0.2',
      TENURE_GRPC_PORT: 'tcp://10.0.0.2:7080',
    }
    expect(load(links)).toEqual(load())
  })
})

test('every problem is told at once, one sentence each', () => {
  const problems = problemsOf(() =>
    loadYaml('limits: { drainMs: -1 }\nextra: 1', {
      TENURE_AUDIENCE: '',
      TENURE_HTTP_ADDRESS: '0.0.0.0:1',
      TENURE_LOG_LEVEL: 'loud',
      TENURE_TLS_KEY_FILE: 'k',
      TENURE_WRONG: '1',
    }),
  )
  const named = [
    'TENURE_WRONG',
    'extra',
    'TENURE_AUDIENCE',
    'TENURE_LOG_LEVEL',
    'limits.drainMs',
    'TENURE_TLS_KEY_FILE',
  ]
  for (const name of [...named, 'TENURE_HTTP_ADDRESS', 'TENURE_ISSUER']) {
    expect(problems.filter((problem) => problem.startsWith(name))).toHaveLength(1)
  }
  expect(problems).toHaveLength(8)
  for (const problem of problems) expect(problem).toMatch(/^[^\n]+\.$/)
})
