import { expect, test } from 'vitest'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { startTestServer } from '../support/test-server.ts'

test('neither a secret nor a token can be had by GET', async () => {
  await using test = await startTestServer()
  await seedPermissions(test)
  const acme = await seedTenant(test, 'acme')
  const asked: [string, object][] = [
    ['SecretService/AccessSecretVersion', { name: 'tenants/acme/workspaces/prod/secrets/database/versions/1' }],
    ['TokenService/IssueToken', { parent: 'tenants/acme' }],
  ]
  for (const [method, message] of asked) {
    const query = `encoding=json&connect=v1&message=${encodeURIComponent(JSON.stringify(message))}`
    const answer = await fetch(`${test.httpUrl}/tenure.v1.${method}?${query}`, {
      headers: { authorization: `Bearer ${acme.ownerKey}` },
    })
    const post = await fetch(`${test.httpUrl}/tenure.v1.${method}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${acme.ownerKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(message),
    })
    expect([answer.status, post.status]).toEqual([405, 200])
  }
})
