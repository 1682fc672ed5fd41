import { describe, expect, test } from 'vitest'
import { StartError } from '../../../../src/base/start-error.ts'
import { startErrorFrom } from '../../../../src/storage/mysql/connect-failure.ts'
import { ConnectionLost, ReadOnlyServer, UnfitServer } from '../../../../src/storage/mysql/mysql-errors.ts'

const server = {
  host: 'db.example',
  port: 3307,
  user: 'hunter1',
  password: 'hunter2',
  database: 'tenure',
  tls: undefined,
}

function driverError(fields: object): Error {
  return Object.assign(new Error("Access denied for user 'hunter1'@'10.0.0.1' (using password: YES)"), fields)
}

describe('what an operator reads', () => {
  test.each([
    [{ code: 'ECONNREFUSED' }, 'Nothing listens at db.example:3307'],
    [{ code: 'ENOTFOUND' }, 'The name db.example cannot be resolved'],
    [{ code: 'EAI_AGAIN' }, 'The name db.example cannot be resolved'],
    [{ code: 'EHOSTUNREACH' }, 'There is no way to db.example:3307'],
    [{ code: 'ENETUNREACH' }, 'There is no way to db.example:3307'],
    [{ code: 'ETIMEDOUT', fatal: true }, 'did not answer in time'],
    [{ code: 'PROTOCOL_SEQUENCE_TIMEOUT' }, 'did not answer in time'],
    [{ code: 'ECONNRESET', fatal: true }, 'was lost'],
    [{ code: 'EPIPE', fatal: true }, 'was lost'],
    [{ code: 'PROTOCOL_CONNECTION_LOST', fatal: true }, 'was lost'],
    [{ fatal: true }, 'was lost'],
    [{ code: 'HANDSHAKE_NO_SSL_SUPPORT', fatal: true }, 'offers no TLS'],
    [
      { code: 'HANDSHAKE_SSL_ERROR', fatal: true },
      'its certificate is not one of a trusted authority for the name db.example',
    ],
    [{ code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', fatal: true }, 'or it does not accept ours'],
    [{ code: 'AUTH_SWITCH_PLUGIN_ERROR', fatal: true }, 'a way of logging in'],
    [{ code: 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED', fatal: true }, 'a way of logging in'],
    [{ errno: 1040, code: 'ER_CON_COUNT_ERROR' }, 'takes no more connections'],
    [{ errno: 1203, code: 'ER_TOO_MANY_USER_CONNECTIONS' }, 'takes no more connections'],
    [{ errno: 1044, code: 'ER_DBACCESS_DENIED_ERROR' }, 'does not let this user into the database tenure'],
    [{ errno: 1045, code: 'ER_ACCESS_DENIED_ERROR' }, 'refused the user or the password'],
    [{ errno: 1049, code: 'ER_BAD_DB_ERROR' }, 'There is no database tenure at db.example:3307. Create it'],
    [{ errno: 1053, code: 'ER_SERVER_SHUTDOWN' }, 'was lost'],
    [{ errno: 1129, code: 'ER_HOST_IS_BLOCKED' }, 'takes no connections from this machine'],
    [{ errno: 1130, code: 'ER_HOST_NOT_PRIVILEGED' }, 'takes no connections from this machine'],
    [
      { errno: 1142, code: 'ER_TABLEACCESS_DENIED_ERROR' },
      'Grant it SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON tenure.*.',
    ],
    [
      { errno: 1227, code: 'ER_SPECIFIC_ACCESS_DENIED_ERROR' },
      'Grant it SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON tenure.*.',
    ],
    [{ errno: 1205, code: 'ER_LOCK_WAIT_TIMEOUT' }, 'is locked by somebody else'],
    [{ errno: 1251, code: 'ER_NOT_SUPPORTED_AUTH_MODE' }, 'a way of logging in'],
    [{ errno: 1290, code: 'ER_OPTION_PREVENTS_STATEMENT' }, 'is read-only'],
    [{ errno: 1836, code: 'ER_READ_ONLY_MODE' }, 'is read-only'],
    [{ errno: 1317, code: 'ER_QUERY_INTERRUPTED' }, 'was lost'],
    [{ errno: 3169, code: 'ER_SESSION_WAS_KILLED' }, 'was lost'],
    [{ errno: 4031, code: 'ER_CLIENT_INTERACTION_TIMEOUT' }, 'was lost'],
    [{ errno: 1820, code: 'ER_MUST_CHANGE_PASSWORD' }, 'its password has expired'],
    [{ errno: 1862, code: 'ER_MUST_CHANGE_PASSWORD_LOGIN' }, 'its password has expired'],
    [{ errno: 3118, code: 'ER_ACCOUNT_HAS_BEEN_LOCKED' }, 'is locked, or'],
    [{ errno: 3159, code: 'ER_SECURE_TRANSPORT_REQUIRED' }, 'Put tls=required into the database URL'],
    [{ errno: 1064, code: 'ER_PARSE_ERROR' }, 'failed (MySQL error 1064)'],
    [{ code: 'HANDSHAKE_UNKNOWN_ERROR', fatal: true }, 'failed (HANDSHAKE_UNKNOWN_ERROR)'],
  ])('of %j names server and database, and repeats neither account nor words of the driver', (fields, words) => {
    const told = startErrorFrom(driverError(fields), server)
    expect(told).toBeInstanceOf(StartError)
    const { message } = told as StartError
    expect(message).toContain(words)
    expect(message).toContain('db.example:3307')
    expect(message).toContain('tenure')
    expect(message).toMatch(/\.$/)
    expect(message).not.toMatch(/hunter|using password|10\.0\.0\.1/)
  })

  test.each([
    [
      new UnfitServer('it is version 8.0.36'),
      'The MySQL server at db.example:3307 cannot be used: it is version 8.0.36.',
    ],
    [new ReadOnlyServer('it is read-only'), 'The MySQL server at db.example:3307 is read-only'],
    [new ConnectionLost('no answer'), 'did not answer in time'],
  ])('of %s', (error, words) => {
    expect(startErrorFrom(error, server)).toMatchObject({ name: 'StartError', message: expect.stringContaining(words) })
  })

  test('an IPv6 address stands in brackets', () => {
    const told = startErrorFrom(driverError({ code: 'ECONNREFUSED' }), { ...server, host: '::1' })
    expect((told as StartError).message).toContain('Nothing listens at [::1]:3307')
  })
})

test('what is no failure of the server comes back as it is', () => {
  for (const error of [new StartError('mend it'), new TypeError('a bug'), driverError({ code: 'ENOENT' }), 'text']) {
    expect(startErrorFrom(error, server)).toBe(error)
  }
})
