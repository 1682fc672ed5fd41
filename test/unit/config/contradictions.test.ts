import { describe, expect, test } from 'vitest'
import { load, loadYaml, problemsOf } from './config-rig.ts'
import { certificatePem, foreignKeyPem, privateKeyPem } from './tls-fixture.ts'

const files = { cert: certificatePem, key: privateKeyPem, other: foreignKeyPem(), text: 'not PEM' }
const tls = { TENURE_TLS_CERT_FILE: 'cert', TENURE_TLS_KEY_FILE: 'key' }
const issuer = { TENURE_ISSUER: 'https://tenure.example.com' }

describe('listening where others can connect', () => {
  test.each(['TENURE_GRPC_ADDRESS', 'TENURE_HTTP_ADDRESS'])('%s beyond loopback without TLS is refused', (name) => {
    for (const address of ['0.0.0.0:7000', '[::]:7000', 'tenure.internal:7000']) {
      const problems = problemsOf(() => load({ ...issuer, [name]: address }))
      expect(problems).toHaveLength(1)
      expect(problems[0]).toContain(`${name} listens beyond loopback without TLS`)
    }
  })

  test('TLS allows it, and so does saying that it is meant', () => {
    const everywhere = { ...issuer, TENURE_GRPC_ADDRESS: '0.0.0.0:7080', TENURE_HTTP_ADDRESS: '0.0.0.0:7081' }
    expect(load({ ...everywhere, ...tls }, files).grpcAddress.host).toBe('0.0.0.0')
    expect(load({ ...everywhere, TENURE_INSECURE_LISTEN: 'true' }).insecureListen).toBe(true)
  })

  test('saying so with TLS contradicts itself', () => {
    const env = { ...issuer, ...tls, TENURE_INSECURE_LISTEN: 'true' }
    expect(problemsOf(() => load(env, files)).join()).toContain('remove one or the other')
  })

  test('two listeners cannot have one address, but may both leave the port to the system', () => {
    const same = (address: string) => ({ TENURE_GRPC_ADDRESS: address, TENURE_HTTP_ADDRESS: address })
    expect(problemsOf(() => load(same('127.0.0.1:7000'))).join()).toContain('are the same')
    expect(load(same('127.0.0.1:0')).httpAddress.port).toBe(0)
  })
})

describe('TLS files', () => {
  test('are read at start, with the authority of client certificates', () => {
    const config = load({ ...issuer, ...tls, TENURE_TLS_CLIENT_CA_FILE: 'cert' }, files)
    expect(config.tls).toMatchObject({ certFile: 'cert', keyFile: 'key', clientCaFile: 'cert' })
    expect(config.tls?.certificate.toString()).toBe(certificatePem)
    expect(config.tls?.privateKey.toString()).toBe(privateKeyPem)
    expect(config.tls?.clientCa?.toString()).toBe(certificatePem)
  })

  test.each([
    [{ TENURE_TLS_CERT_FILE: 'cert' }, 'TENURE_TLS_CERT_FILE is set without TENURE_TLS_KEY_FILE'],
    [{ TENURE_TLS_KEY_FILE: 'key' }, 'TENURE_TLS_KEY_FILE is set without TENURE_TLS_CERT_FILE'],
    [{ TENURE_TLS_CLIENT_CA_FILE: 'cert' }, 'TENURE_TLS_CLIENT_CA_FILE is set without'],
    [{ ...tls, TENURE_TLS_CERT_FILE: 'gone' }, 'TENURE_TLS_CERT_FILE names gone, which cannot be read (ENOENT)'],
    [{ ...tls, TENURE_TLS_KEY_FILE: 'gone' }, 'TENURE_TLS_KEY_FILE names gone, which cannot be read (ENOENT)'],
    [{ ...tls, TENURE_TLS_CLIENT_CA_FILE: 'gone' }, 'TENURE_TLS_CLIENT_CA_FILE names gone'],
    [{ ...tls, TENURE_TLS_CERT_FILE: 'text' }, 'TENURE_TLS_CERT_FILE holds no PEM certificate'],
    [{ ...tls, TENURE_TLS_KEY_FILE: 'text' }, 'TENURE_TLS_KEY_FILE holds no PEM private key'],
    [{ ...tls, TENURE_TLS_KEY_FILE: 'other' }, 'TENURE_TLS_KEY_FILE is not the key of the certificate'],
    [{ ...tls, TENURE_TLS_CLIENT_CA_FILE: 'text' }, 'TENURE_TLS_CLIENT_CA_FILE holds no PEM certificate'],
    [{ ...tls, TENURE_TLS_CERT_FILE: '' }, 'TENURE_TLS_CERT_FILE is empty'],
  ])('%j is refused', (env, sentence) => {
    const problems = problemsOf(() => load({ ...issuer, ...env }, files))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(sentence)
  })
})

describe('the issuer', () => {
  test('is the HTTP address on loopback without TLS', () => {
    expect(load({ TENURE_HTTP_ADDRESS: '[::1]:9000' }).issuer).toBe('http://[::1]:9000')
  })

  test('is left to whoever binds where the system chooses the port', () => {
    expect(load({ TENURE_HTTP_ADDRESS: '127.0.0.1:0' }).issuer).toBeUndefined()
  })

  test('must be set everywhere else: nobody outside could reach a guessed one', () => {
    expect(problemsOf(() => load(tls, files)).join()).toContain('TENURE_ISSUER is not set')
    const open = { TENURE_HTTP_ADDRESS: '0.0.0.0:7081', TENURE_INSECURE_LISTEN: 'true' }
    expect(problemsOf(() => load(open)).join()).toContain('TENURE_ISSUER is not set')
  })

  test('is not served in the clear beyond loopback: keys fetched from it could be replaced on their way', () => {
    const env = { TENURE_ISSUER: 'http://tenure.example.com' }
    expect(problemsOf(() => load(env)).join()).toContain('TENURE_ISSUER is http:// beyond loopback')
    expect(load({ ...env, TENURE_INSECURE_LISTEN: 'true' }).issuer).toBe(env.TENURE_ISSUER)
    expect(load({ TENURE_ISSUER: 'http://[::1]:8081' }).issuer).toBe('http://[::1]:8081')
  })
})

test('no permission is decided on older facts than all of them may be', () => {
  const yaml = 'access: { maxStalenessMs: 2000, maxStalenessByPermission: { orders.read: 2001, orders.refund: 2000 } }'
  expect(problemsOf(() => loadYaml(yaml))).toEqual([
    'access.maxStalenessByPermission.orders.read is more than TENURE_MAX_STALENESS_MS; lower it, or raise that for all.',
  ])
  expect(loadYaml(yaml, { TENURE_MAX_STALENESS_MS: '2001' }).access.maxStalenessByPermission['orders.read']).toBe(2001)
})
