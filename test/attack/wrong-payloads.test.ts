import { expect, test } from 'vitest'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { startTestServer } from '../support/test-server.ts'

test('a value sent in a wrong form is not answered back', async () => {
  await using test = await startTestServer()
  await seedPermissions(test)
  const acme = await seedTenant(test, 'acme')
  const answers: string[] = []
  for (const payload of [
    '"hunter2-not-base64!!"',
    '"hunter2"',
    '{"hunter2": 1}',
    '["hunter2"]',
    '12345678901',
    '"aHVudGVyMg==", "hunter2": 1',
  ]) {
    const response = await fetch(`${test.httpUrl}/tenure.v1.SecretService/AddSecretVersion`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${acme.ownerKey}` },
      body: `{"parent": "tenants/acme/workspaces/prod/secrets/database", "payload": ${payload}}`,
    })
    answers.push(`${response.status} ${await response.text()}`)
  }
  for (const answer of answers.filter((each) => !each.startsWith('200')))
    expect(answer).not.toMatch(/hunter2|12345678901/)
})
