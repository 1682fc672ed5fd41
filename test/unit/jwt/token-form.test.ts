import { expect, test } from 'vitest'
import { createVerifier } from '../../../src/sdk/verifier.ts'

test('a text without a header is malformed, and fetches no keys, also as the first one a process sees', async () => {
  let fetches = 0
  const verifier = createVerifier({
    issuer: 'https://i.example',
    audience: 'orders',
    jwks: 'https://i.example/jwks',
    fetch: async () => {
      fetches += 1
      return new Response('{"keys":[]}')
    },
  })
  await expect(verifier.verify(`.e30.${'A'.repeat(86)}`)).rejects.toMatchObject({ reason: 'MALFORMED' })
  expect(fetches).toBe(0)
})

test('a set without one key that could verify anything stops a service at its start', () => {
  // No kid; a kid that is not the thumbprint: neither is ever found.
  for (const kid of [undefined, 'my-key']) {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', ...(kid && { kid }) }
    expect(() => createVerifier({ issuer: 'i', audience: 'a', jwks: { keys: [jwk] } })).toThrow()
  }
})
