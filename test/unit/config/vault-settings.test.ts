import { describe, expect, test } from 'vitest'
import { load, loadYaml, problemsOf } from './config-rig.ts'
import { certificatePem } from './tls-fixture.ts'

const vault = { TENURE_KEYRING: 'vault:transit', VAULT_ADDR: 'http://127.0.0.1:8200' }
const token = { ...vault, VAULT_TOKEN: 's.hunter2' }
const role = { VAULT_ROLE_ID: 'role', VAULT_SECRET_ID: 'hunter2' }
const files = { ca: certificatePem, text: 'not PEM', secret: 'hunter2\n', two: 'a\nb\n', empty: '\n' }

describe('a keyring in Vault', () => {
  test('is a mount, an address and a token', () => {
    expect(load(token).keyring).toEqual({
      ...{ kind: 'vault', mount: 'transit', address: 'http://127.0.0.1:8200' },
      ...{ namespace: undefined, ca: undefined, credential: { kind: 'token', token: 's.hunter2' } },
    })
  })

  test('may lie in a namespace, deeper, behind TLS, and be entered by a role', () => {
    const env = {
      ...{ TENURE_KEYRING: 'vault:eu/tenure-keys', VAULT_ADDR: 'https://vault.example.com:8200/', ...role },
      ...{ VAULT_NAMESPACE: 'team-a/prod', VAULT_CACERT: 'ca' },
    }
    expect(load(env, files).keyring).toEqual({
      ...{
        kind: 'vault',
        mount: 'eu/tenure-keys',
        address: 'https://vault.example.com:8200',
        namespace: 'team-a/prod',
      },
      ...{ ca: Buffer.from(certificatePem), credential: { kind: 'approle', roleId: 'role', secretId: 'hunter2' } },
    })
  })

  test('takes its secrets from files too, and all of it from YAML', () => {
    expect(load({ ...vault, VAULT_TOKEN_FILE: 'secret' }, files).keyring).toMatchObject({
      credential: { token: 'hunter2' },
    })
    const withFile = { ...vault, VAULT_ROLE_ID: 'role', VAULT_SECRET_ID_FILE: 'secret' }
    expect(load(withFile, files).keyring).toMatchObject({ credential: { kind: 'approle', secretId: 'hunter2' } })
    const yaml = 'keyring: vault:transit\nvault: { addr: "http://localhost:8200", token: s.hunter2 }'
    expect(loadYaml(yaml).keyring).toMatchObject({
      address: 'http://localhost:8200',
      credential: { token: 's.hunter2' },
    })
  })

  test.each([
    [{ TENURE_KEYRING: 'vault:transit', VAULT_TOKEN: 't' }, 'VAULT_ADDR does not say where it is'],
    [vault, 'nothing says how to log in'],
    [{ ...token, ...role }, 'log in with one or the other'],
    [{ ...token, VAULT_ROLE_ID: 'role' }, 'log in with one or the other'],
    [{ ...vault, VAULT_ROLE_ID: 'role' }, 'VAULT_ROLE_ID and VAULT_SECRET_ID go together'],
    [{ ...vault, VAULT_SECRET_ID: 'hunter2' }, 'VAULT_ROLE_ID and VAULT_SECRET_ID go together'],
    [{ ...token, VAULT_TOKEN_FILE: 'secret' }, 'VAULT_TOKEN and VAULT_TOKEN_FILE are both set'],
    [{ ...vault, ...role, VAULT_SECRET_ID_FILE: 'secret' }, 'VAULT_SECRET_ID and VAULT_SECRET_ID_FILE are both set'],
    [{ ...vault, VAULT_TOKEN_FILE: 'gone' }, 'VAULT_TOKEN_FILE names gone, which cannot be read (ENOENT)'],
    [{ ...vault, VAULT_TOKEN_FILE: 'two' }, 'VAULT_TOKEN_FILE must hold a token and nothing else'],
    [{ ...vault, VAULT_TOKEN_FILE: 'empty' }, 'VAULT_TOKEN_FILE must hold a token and nothing else'],
    [{ ...token, VAULT_ADDR: 'http://vault.example.com' }, 'VAULT_ADDR is http:// beyond loopback'],
    [{ ...token, VAULT_ADDR: 'http://10.0.0.1:8200' }, 'VAULT_ADDR is http:// beyond loopback'],
    [{ ...token, VAULT_ADDR: 'https://v', TENURE_INSECURE_VAULT: 'true' }, 'remove one or the other'],
    [{ ...token, VAULT_CACERT: 'ca' }, 'VAULT_CACERT is set although VAULT_ADDR is http://'],
    [{ ...token, VAULT_ADDR: 'https://v', VAULT_CACERT: 'gone' }, 'VAULT_CACERT names gone, which cannot be read'],
    [{ ...token, VAULT_ADDR: 'https://v', VAULT_CACERT: 'text' }, 'VAULT_CACERT holds no PEM certificate'],
    [{ ...token, VAULT_ADDR: 'unix:///run/vault' }, 'VAULT_ADDR must be http:// or https://'],
    [{ ...token, VAULT_ADDR: 'https://u:hunter2@v' }, 'VAULT_ADDR must be http:// or https://'],
    [{ ...token, VAULT_ADDR: 'https://v/path' }, 'VAULT_ADDR must be http:// or https://'],
    [{ ...token, VAULT_NAMESPACE: '../root' }, 'VAULT_NAMESPACE must be names of'],
    [{ ...vault, VAULT_TOKEN: '' }, 'VAULT_TOKEN is empty'],
  ])('%j is refused in one sentence that repeats no secret', (env, sentence) => {
    const problems = problemsOf(() => load(env as Record<string, string>, files))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(sentence)
    expect(problems[0]).not.toContain('hunter2')
  })

  test('in the clear beyond loopback is allowed to whoever says that it is meant', () => {
    const env = { ...token, VAULT_ADDR: 'http://vault.internal:8200', TENURE_INSECURE_VAULT: 'true' }
    expect(load(env).keyring).toMatchObject({ address: 'http://vault.internal:8200' })
  })
})

test('what the environment says to other programs about Vault is nothing to a keyring in a folder', () => {
  const others = { VAULT_ADDR: 'not a URL', VAULT_TOKEN: '', VAULT_CACERT: 'gone', VAULT_NAMESPACE: '..' }
  expect(load(others).keyring).toEqual({ kind: 'local', folder: '.tenure/keyring' })
})
