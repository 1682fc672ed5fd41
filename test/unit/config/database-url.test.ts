import { describe, expect, test } from 'vitest'
import type { MysqlConfig } from '../../../src/config/stores.ts'
import { type Files, load, loadYaml, problemsOf } from './config-rig.ts'
import { certificatePem, foreignKeyPem, privateKeyPem } from './tls-fixture.ts'

const files: Files = {
  ca: certificatePem,
  cert: certificatePem,
  key: privateKeyPem,
  other: foreignKeyPem(),
  text: 'not PEM',
  password: 'hunter2\n',
}

function mysql(url: string, given: Files = files): MysqlConfig {
  const { database } = load({ TENURE_DATABASE_URL: url }, given)
  if (database.engine !== 'mysql') throw new Error('the URL was not taken for one of MySQL')
  return database
}

const near = { engine: 'mysql', host: '127.0.0.1', port: 3306, user: 'u', password: '', database: 'd', tls: undefined }

describe('a mysql:// URL', () => {
  test.each([
    ['mysql://u@127.0.0.1/d', {}],
    ['mysql://u:@127.0.0.1/d', {}],
    ['mysql://u@127.0.0.1:3307/d', { port: 3307 }],
    ['mysql://u@[::1]/d', { host: '::1' }],
    ['mysql://u@[::1]:3307/d', { host: '::1', port: 3307 }],
    ['mysql://u@localhost/Tenure_9-a', { host: 'localhost', database: 'Tenure_9-a' }],
    [`mysql://u@127.0.0.1/${'d'.repeat(64)}`, { database: 'd'.repeat(64) }],
    ['mysql://u:hunter2@127.0.0.1/d', { password: 'hunter2' }],
    ['mysql://u:a:b@127.0.0.1/d', { password: 'a:b' }],
    ['mysql://a%40b:%2F%3F%23%5B%25%3A%C3%A9@127.0.0.1/d', { user: 'a@b', password: '/?#[%:é' }],
    ['mysql://u:a+b@127.0.0.1/d', { password: 'a+b' }],
    ['mysql://u@127.0.0.1/d?tls=off', {}],
    ['mysql://u@10.0.0.1/d?tls=off', { host: '10.0.0.1' }],
    ['mysql://u@db.example:1/d?tls=off', { host: 'db.example', port: 1 }],
    ['mysql://u@127.0.0.1/d?passwordFile=password', { password: 'hunter2' }],
  ])('%s is taken apart', (url, expected) => {
    expect(mysql(url)).toEqual({ ...near, ...expected })
  })

  const trusting = { ca: undefined, certificate: undefined, privateKey: undefined }
  const pem = Buffer.from(certificatePem)
  test.each([
    ['beyond this machine', 'mysql://u@db.example/d', trusting],
    ['where it is said', 'mysql://u@127.0.0.1/d?tls=required', trusting],
    ['where an authority is named', 'mysql://u@127.0.0.1/d?tlsCa=ca', { ...trusting, ca: pem }],
    [
      'where a certificate to show is named',
      'mysql://u@127.0.0.1/d?tlsCert=cert&tlsKey=key',
      { ...trusting, certificate: pem, privateKey: Buffer.from(privateKeyPem) },
    ],
  ])('is one of TLS %s', (_, url, expected) => {
    expect(mysql(url).tls).toEqual(expected)
  })

  test.each([
    ['hunter2', 'hunter2'],
    ['hunter2\r\n', 'hunter2'],
    [' hunter2 ', ' hunter2 '],
    ['é🎈', 'é🎈'],
  ])('a password file that holds %j', (content, password) => {
    expect(mysql('mysql://u@127.0.0.1/d?passwordFile=%2Frun%2Fp', { '/run/p': content }).password).toBe(password)
  })

  test('may stand in the YAML file', () => {
    expect(loadYaml('database: { url: "mysql://u@127.0.0.1/d" }').database).toEqual(near)
  })
})

const noUser = 'names no user; write mysql://'
const noHost = 'must name its host as name, name:port, 1.2.3.4:port or [v6]:port after the "@"'
const noCharacter = 'holds a "%" that begins no character'
const unknownOption = 'has an option that is not known; there are tls, tlsCa, tlsCert, tlsKey, passwordFile'

describe('a database URL that is refused', () => {
  test.each([
    ['mysqlx://hunter2@hunter2:33060/d', 'names the X protocol of MySQL'],
    ['mariadb://hunter2@hunter2/d', 'names a MariaDB'],
    ['MYSQL://hunter2@hunter2/d', 'must be sqlite:<file>'],
    ['mysql:hunter2', 'must be mysql://<user>:<password>@<host>:<port>/<database>?<options>'],
    ['mysql://', noUser],
    ['mysql://hunter2/d', noUser],
    ['mysql://@hunter2/d', noUser],
    ['mysql://:hunter2@h/d', noUser],
    ['mysql://u:hunter2/x@h/d', noUser],
    ['mysql://u:hunter2?x@h/d', noUser],
    ['mysql://u:hunter2#x@h/d', 'holds a "#"; write %23'],
    ['mysql://u@h/d#hunter2', 'holds a "#"; write %23'],
    ['mysql://u:hunter2@x@h/d', 'holds more than one "@" before its database'],
    ['mysql://u:hunter2%@h/d', noCharacter],
    ['mysql://u:%FFhunter2@h/d', noCharacter],
    ['mysql://hunter2%00@h/d', noCharacter],
    ['mysql://u:hunter2%0A@h/d', noCharacter],
    ['mysql://u@h/hunter2%', noCharacter],
    ['mysql://u@h/d?tlsCa=%hunter2', noCharacter],
    ['mysql://u@/hunter2', noHost],
    ['mysql://u@hunter2:/d', noHost],
    ['mysql://u@hunter2:0/d', noHost],
    ['mysql://u@hunter2:65536/d', noHost],
    ['mysql://u@hunter2:x/d', noHost],
    ['mysql://u@::1/d', noHost],
    ['mysql://u@hunter2_/d', noHost],
    ['mysql://u@hunter2', 'names no database'],
    ['mysql://u@hunter2/', 'names no database'],
    ['mysql://u@hunter2?tls=off', 'names no database'],
    ['mysql://u@h/d/hunter2', 'has more than one "/" after its host'],
    ['mysql://u@h/hunter2/', 'has more than one "/" after its host'],
    ['mysql://u@h/hunter2.x', 'must name a database of 1 to 64 characters of A-Z, a-z, 0-9, _ and -'],
    ['mysql://u@h/hunter2%2Fx', 'must name a database of 1 to 64 characters'],
    [`mysql://u@h/${'d'.repeat(65)}`, 'must name a database of 1 to 64 characters'],
    ['mysql://u@h/d?', unknownOption],
    ['mysql://u@h/d?hunter2=1', unknownOption],
    ['mysql://u@h/d?TLS=off', unknownOption],
    ['mysql://u@h/d?tls=off&', unknownOption],
    ['mysql://u@h/d?tls', 'has the option tls without a value'],
    ['mysql://u@h/d?passwordFile=', 'has the option passwordFile without a value'],
    ['mysql://u@h/d?tls=off&tls=off', 'has the option tls twice'],
    ['mysql://u@h/d?tls=hunter2', 'has an option tls that is neither "required" nor "off"'],
    ['mysql://u@h/d?tls=off&tlsCa=hunter2', 'says tls=off and names TLS files'],
    ['mysql://u@h/d?tls=off&tlsCert=hunter2&tlsKey=key', 'says tls=off and names TLS files'],
    ['mysql://u@h/d?tlsCert=hunter2', 'has one of the options tlsCert and tlsKey'],
    ['mysql://u@h/d?tlsKey=hunter2', 'has one of the options tlsCert and tlsKey'],
    ['mysql://hunter2@10.0.0.1/d', 'must call its host by name, because a certificate is checked against a name'],
    ['mysql://hunter2@[2001:db8::1]/d?tls=required', 'must call its host by name'],
    ['mysql://hunter2@0.0.0.0/d', 'must call its host by name'],
    ['mysql://u:hunter2@h/d?passwordFile=password', 'holds a password and names a passwordFile'],
    ['mysql://u:@h/d?passwordFile=hunter2', 'holds a password and names a passwordFile'],
    ['mysql://u@h/d?passwordFile=hunter2', '(passwordFile) names a file that cannot be read (ENOENT)'],
    ['mysql://u@h/d?tlsCa=hunter2', '(tlsCa) names a file that cannot be read (ENOENT)'],
    ['mysql://u@h/d?tlsCert=hunter2&tlsKey=key', '(tlsCert) names a file that cannot be read (ENOENT)'],
    ['mysql://u@h/d?tlsCert=cert&tlsKey=hunter2', '(tlsKey) names a file that cannot be read (ENOENT)'],
    ['mysql://u@h/d?tlsCa=text', '(tlsCa) holds no PEM certificate'],
    ['mysql://u@h/d?tlsCert=text&tlsKey=key', '(tlsCert) holds no PEM certificate'],
    ['mysql://u@h/d?tlsCert=cert&tlsKey=text', '(tlsKey) holds no PEM private key'],
    [
      'mysql://u@h/d?tlsCert=cert&tlsKey=other',
      '(tlsKey) is not the key of the certificate in TENURE_DATABASE_URL (tlsCert)',
    ],
  ])('%s', (url, sentence) => {
    const problems = problemsOf(() => load({ TENURE_DATABASE_URL: url }, files))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^TENURE_DATABASE_URL .*[^.]\.$/)
    expect(problems[0]).toContain(sentence)
    expect(problems[0]).not.toContain('hunter2')
  })

  test.each([
    ['nothing', ''],
    ['an empty line', '\n'],
    ['two lines', 'hunter2\nhunter2\n'],
    ['a NUL', 'hunter2\u0000'],
    ['bytes that are no UTF-8', new Uint8Array([0xff, 0xfe])],
    ['more than a password', 'x'.repeat(4097)],
  ])('a password file that holds %s', (_, content) => {
    const env = { TENURE_DATABASE_URL: 'mysql://u@h/d?passwordFile=p' }
    expect(problemsOf(() => load(env, { p: content }))).toEqual([
      'TENURE_DATABASE_URL (passwordFile) must hold a password and nothing else: one line, at most 4096 bytes of UTF-8.',
    ])
  })

  test('in a YAML file is named by its key, and its value is not repeated either', () => {
    const [problem] = problemsOf(() => loadYaml('database: { url: "mysql://u:hunter2@h" }'))
    expect(problem).toMatch(/^database\.url in tenure\.yaml names no database/)
    expect(problem).not.toContain('hunter2')
  })
})
