import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { signTenantToken } from '../../src/jwt/sign-tenant-token.ts'
import type { TenantTokenClaims } from '../../src/jwt/tenant-token-claims.ts'
import { createVerifier, type Verifier } from '../../src/sdk/verifier.ts'
import { issuedAtMs, testAudience, testIssuer, testSigningKey, tokenClaims } from '../support/tenant-token.ts'
import { printCircumstances, printTable, quantile } from './bench-table.ts'

// What a token costs whoever signs it and whoever checks it, on one thread, beside bare node:crypto on bytes of the same
// length in the same run. A wrong answer fails the run.

export interface TokenFigures {
  /** Per second, the median of the rounds. */
  readonly rawSign: number
  readonly sign: number
  readonly rawVerify: number
  /** Every token new to the verifier. */
  readonly coldVerify: number
  /** The same, sixteen requests at a time. */
  readonly coldVerifyTogether: number
  /** Every token known to the verifier, the tokens taken in turn. */
  readonly cachedVerify: number
  readonly tokenBytes: number
}

const rounds = 3
const roundMs = 700
const distinctTokens = 2_000

type Work = () => Promise<number>

/** How often `work` got done in a second; it answers how much it did. */
async function rateOf(work: Work): Promise<number> {
  const began = performance.now()
  let done = 0
  for (let now = began; now - began < roundMs; now = performance.now()) done += await work()
  return (done * 1_000) / (performance.now() - began)
}

/** Every figure from the same rounds, one after the other within each, so that a busy machine is busy for all. */
export async function measureTokens(): Promise<TokenFigures> {
  const { made, key } = await testSigningKey()
  const wanted = Array.from({ length: distinctTokens }, (_, tep) => tokenClaims({ tep }))
  const tokens: string[] = []
  for (const claims of wanted) tokens.push(await signTenantToken(claims, key))
  const clock = { nowMs: () => issuedAtMs, monotonicMs: () => 0 }
  const verifierOf = (cacheSize: number) =>
    createVerifier({ issuer: testIssuer, audience: testAudience, jwks: { keys: [made.publicJwk] }, clock, cacheSize })
  const cached = verifierOf(10_000)
  for (const token of tokens) await cached.verify(token)
  const raw = rawWork(made.privateKeyPkcs8, tokens[0] ?? '')
  const signWork: Work = async () => {
    await Promise.all(wanted.slice(0, 16).map((claims) => signTenantToken(claims, key)))
    return 16
  }
  const works = [
    raw.sign,
    signWork,
    raw.verify,
    // A memory of one token: with all in turn, each is new again.
    inTurn(verifierOf(1), tokens, wanted, 1),
    inTurn(verifierOf(1), tokens, wanted, 16),
    inTurn(cached, tokens, wanted, 1),
  ]
  const rates: number[][] = works.map(() => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, work] of works.entries()) rates[index]?.push(await rateOf(work))
  }
  const [rawSign, sign, rawVerify, coldVerify, coldVerifyTogether, cachedVerify] = rates.map((each) =>
    quantile(each, 0.5),
  )
  const figures = { rawSign, sign, rawVerify, coldVerify, coldVerifyTogether, cachedVerify }
  return { ...(figures as Omit<TokenFigures, 'tokenBytes'>), tokenBytes: tokens[0]?.length ?? 0 }
}

function rawWork(privateKeyPkcs8: Uint8Array, token: string): { readonly sign: Work; readonly verify: Work } {
  const privateKey = createPrivateKey({ key: Buffer.from(privateKeyPkcs8), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const input = Buffer.from(token.slice(0, token.lastIndexOf('.')))
  const signature = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url')
  return {
    sign: async () => {
      if (!sign(null, input, privateKey).equals(signature)) throw new Error('another signature than the token has')
      return 1
    },
    verify: async () => {
      if (!verify(null, input, publicKey, signature)) throw new Error('a true signature was refused')
      return 1
    },
  }
}

/** The tokens one after the other, `together` at a time; each answer is compared with what was signed. */
function inTurn(
  verifier: Verifier,
  tokens: readonly string[],
  wanted: readonly TenantTokenClaims[],
  together: number,
): Work {
  let next = 0
  const one = async (): Promise<void> => {
    const index = next++ % tokens.length
    const { claims } = await verifier.verify(tokens[index] ?? '')
    if (claims.tep !== wanted[index]?.tep) throw new Error('another answer than was signed')
  }
  const batch = Math.max(together, 16)
  return async () => {
    if (together === 1) for (let i = 0; i < batch; i += 1) await one()
    else await Promise.all(Array.from({ length: together }, one))
    return batch
  }
}

export function printTokenFigures(figures: TokenFigures): void {
  const { rawSign, sign: signed, rawVerify, coldVerify, coldVerifyTogether, cachedVerify, tokenBytes } = figures
  const share = (part: number, whole: number) => `${Math.round((100 * part) / whole)} %`
  printTable(
    ['one thread', 'per second', 'of node:crypto'],
    [
      ['node:crypto sign', Math.round(rawSign), ''],
      ['signTenantToken', Math.round(signed), share(signed, rawSign)],
      ['node:crypto verify', Math.round(rawVerify), ''],
      ['verify, cold', Math.round(coldVerify), share(coldVerify, rawVerify)],
      ['verify, cold, 16 at a time', Math.round(coldVerifyTogether), share(coldVerifyTogether, rawVerify)],
      ['verify, seen before', Math.round(cachedVerify), share(cachedVerify, rawVerify)],
    ],
  )
  process.stdout.write(`tokens of ${tokenBytes} bytes\n`)
}

if (import.meta.main) {
  printCircumstances()
  printTokenFigures(await measureTokens())
}
