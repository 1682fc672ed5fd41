import { describe, expect, test } from 'vitest'
import { httpUrlOf, isLoopbackHost, parseListenAddress } from '../../../src/config/listen-address.ts'
import { load, problemsOf } from './config-rig.ts'

describe('addresses', () => {
  test.each([
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['0.0.0.0:7080', '0.0.0.0', 7080],
    ['[::1]:0', '::1', 0],
    ['[::]:65535', '::', 65_535],
    ['localhost:1', 'localhost', 1],
    ['tenure.svc.cluster.local:80', 'tenure.svc.cluster.local', 80],
  ])('%s is an address', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port })
  })

  test.each([
    '',
    '7080',
    ':7080',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:1e3',
    '127.0.0.1:99999999999999999999',
    '::1:80',
    '[::1]',
    '[127.0.0.1]:80',
    '[localhost]:80',
    '[::1%lo]:80:1',
    '127.1:80',
    '0:80',
    '0x7f.1:80',
    '1.2.3.256:80',
    'http://127.0.0.1:80',
    'a b:80',
    '127.0.0.1:80\n',
    '127.0.0.1:80/x',
  ])('%j is none', (text) => {
    expect(parseListenAddress(text)).toBeUndefined()
  })

  test('only this machine reaches loopback; a name may resolve to anything', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', 'localhost', 'LocalHost'].every(isLoopbackHost)).toBe(
      true,
    )
    const beyond = ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'tenure.local', 'localhost.evil.example', 'fe80::1']
    expect(beyond.some(isLoopbackHost)).toBe(false)
  })

  test('an IPv6 address is bracketed in a URL', () => {
    expect(httpUrlOf({ host: '::1', port: 7081 })).toBe('http://[::1]:7081')
  })
})

describe('values that are refused', () => {
  test.each([
    ['TENURE_GRPC_ADDRESS', 'nowhere', 'must be host:port'],
    ['TENURE_HTTP_ADDRESS', '127.0.0.1:x', 'must be host:port'],
    ['TENURE_DATABASE_URL', 'postgres://hunter2@db', 'must be sqlite:<file>'],
    ['TENURE_DATABASE_URL', 'sqlite:', 'must be sqlite:<file>'],
    ['TENURE_DATABASE_URL', 'sqlite::memory:', 'must name a plain file'],
    ['TENURE_DATABASE_URL', 'sqlite:file:x?mode=ro', 'must name a plain file'],
    ['TENURE_DATABASE_URL', 'sqlite://x', 'must name a plain file'],
    ['TENURE_KEYRING', 'vault:https://v', 'must name after "vault:" the path the transit engine is mounted at'],
    ['TENURE_KEYRING', 'vault:', 'must name after "vault:"'],
    ['TENURE_KEYRING', 'vault:a//b', 'must name after "vault:"'],
    ['TENURE_KEYRING', 'vault:../sys', 'must name after "vault:"'],
    ['TENURE_KEYRING', '.tenure/keyring', 'must be local:<folder>'],
    ['TENURE_KEYRING', 'local:', 'must be local:<folder>'],
    ['TENURE_ROOT_KEY_FILE', '', 'is empty'],
    ['TENURE_ROOT_KEY_FILE', 'a\u0000b', 'control characters'],
    ['TENURE_AUDIT_CHECKPOINTS', 'file:', 'must be file:<file>'],
    ['TENURE_AUDIT_CHECKPOINTS', 'file://x', 'must be file:<file>'],
    ['TENURE_AUDIT_CHECKPOINTS', 'http://collector.example/', 'must be file:<file>'],
    ['TENURE_AUDIT_CHECKPOINTS', 'syslog', 'must be file:<file>'],
    ['TENURE_AUDIT_CHECKPOINT_SECRET', 'hunter2', 'must be whsec_'],
    ['TENURE_AUDIENCE', '', 'is empty'],
    ['TENURE_AUDIENCE', ' ', 'must not begin or end with a space'],
    ['TENURE_AUDIENCE', 'x'.repeat(4097), 'at most 4096 characters'],
    ['TENURE_ENVIRONMENT', 'Prod', 'must be a letter a-z'],
    ['TENURE_ENVIRONMENT', '1a', 'must be a letter a-z'],
    ['TENURE_ENVIRONMENT', 'a_b', 'must be a letter a-z'],
    ['TENURE_ENVIRONMENT', `a${'b'.repeat(16)}`, 'must be a letter a-z'],
    ['TENURE_ENVIRONMENT', '', 'is empty'],
    ['TENURE_REPLICA', 'a.b', 'must be 1 to 40 characters'],
    ['TENURE_REPLICA', 'x'.repeat(41), 'must be 1 to 40 characters'],
    ['TENURE_INSECURE_LISTEN', 'yes', 'must be true or false'],
    ['TENURE_INSECURE_LISTEN', 'TRUE', 'must be true or false'],
    ['TENURE_INSECURE_LISTEN', '', 'must be true or false'],
    ['TENURE_LOG_LEVEL', 'silent', 'must be one of trace, debug, info, warn, error, fatal'],
    ['TENURE_MAX_IN_FLIGHT_READS', '0', 'must be a whole number from 1'],
    ['TENURE_MAX_IN_FLIGHT_WRITES', '1.5', 'must be a whole number'],
    ['TENURE_MAX_DEADLINE_MS', '1e4', 'must be a whole number'],
    ['TENURE_MAX_DEADLINE_MS', '', 'must be a whole number'],
    ['TENURE_MAX_TENANTS_IN_MEMORY', 'Infinity', 'must be a whole number'],
    ['TENURE_DRAIN_MS', '600001', 'must be a whole number from 0 to 600000'],
    ['TENURE_DRAIN_MS', '-1', 'must be a whole number'],
    ['TENURE_DATABASE_READERS', '0', 'must be a whole number from 1 to 1000'],
    ['TENURE_DATABASE_READERS', '1001', 'must be a whole number from 1 to 1000'],
    ['TENURE_DATABASE_WRITERS', '0', 'must be a whole number from 1 to 1000'],
    ['TENURE_DATABASE_WRITERS', '1001', 'must be a whole number from 1 to 1000'],
    ['TENURE_MAX_STALENESS_MS', '999', 'must be a whole number from 1000 to 86400000'],
    ['TENURE_MAX_STALENESS_MS', '86400001', 'must be a whole number from 1000 to 86400000'],
    ['TENURE_ISSUER', 'tenure', 'must be an http:// or https:// URL'],
    ['TENURE_ISSUER', 'https://t.example/', 'must be an http:// or https:// URL'],
    ['TENURE_ISSUER', 'https://t.example?x=1', 'must be an http:// or https:// URL'],
    ['TENURE_ISSUER', 'https://t.example/#a', 'must be an http:// or https:// URL'],
    ['TENURE_ISSUER', 'https://u:hunter2@t.example', 'must be an http:// or https:// URL'],
    ['TENURE_ISSUER', 'https://T.example', 'must be an http:// or https:// URL'],
    ['TENURE_ISSUER', 'ftp://t.example', 'must be an http:// or https:// URL'],
  ])('%s=%j', (name, value, sentence) => {
    const problems = problemsOf(() => load({ [name]: value }))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(new RegExp(`^${name} `))
    expect(problems[0]).toContain(sentence)
    expect(problems[0]).not.toContain('hunter2')
  })
})
