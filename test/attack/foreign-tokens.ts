import type { DescMethod } from '@bufbuild/protobuf'
import { decodeRevision, encodeRevision } from '../../src/base/revision.ts'
import { formatApiKey, parseApiKey } from '../../src/credentials/api-key.ts'
import type { TenantFixture } from '../support/fixture.ts'
import type { TestServer } from '../support/test-server.ts'
import { bearer, callJson, everyMethod, methodName } from './caller.ts'
import type { FieldKind } from './field-kinds.ts'
import type { ForeignPair } from './foreign-values.ts'
import type { RequestField } from './request-fields.ts'
import { type Json, makeRequest, type NamesByShape } from './request-maker.ts'

/** What the other tenant was given that is no name: each beside one of the same form that nobody was ever given. */
export interface ForeignTokens {
  /** All that are not secret in themselves: whoever asks with them may hear them again. */
  readonly sent: readonly string[]
  pairs(method: DescMethod, field: RequestField, kind: FieldKind): readonly ForeignPair[]
}

export interface ForeignTokenSource {
  readonly server: TestServer
  readonly foreign: TenantFixture
  readonly names: NamesByShape
  /** Of a change of the other tenant. */
  readonly revision: string
  /** That the other tenant made something with. */
  readonly requestId: string
  /** A slug of it that we have nothing of. */
  readonly slug: string
  readonly etags: readonly string[]
  readonly workspaceUid: string
}

const neverUid = '01900000-0000-7000-8000-00000000dead'
let fresh = 0

export async function takeForeignTokens(source: ForeignTokenSource): Promise<ForeignTokens> {
  const { server, foreign, revision } = source
  const pageTokens = await takePageTokens(source)
  const known = decodeRevision(revision)
  if (known === undefined) throw new Error('a revision of the other tenant cannot be read')
  const { environment } = server.config
  const keyId = parseApiKey(foreign.ownerKey, environment)?.apiKeyId ?? ''
  const secret = Buffer.alloc(32, 9)
  const neverKey = formatApiKey(environment, neverUid, neverUid, secret)
  const values: Readonly<Partial<Record<FieldKind, readonly (readonly [string, string])[]>>> = {
    revision: [[revision, encodeRevision({ ...known, tenantId: neverUid })]],
    etag: [[source.etags.at(-1) ?? '', 'AAAAAAAAAAAAAAAA']],
    requestId: [[source.requestId, 'never-was-1']],
    apiKey: [
      [foreign.ownerKey, neverKey],
      [formatApiKey(environment, foreign.uid, keyId, secret), neverKey],
    ],
    person: [[`alice@${foreign.slug}`, 'never@was']],
    email: [[`alice@${foreign.slug}.example`, 'never@was.example']],
    chain: [[`workspace/${source.workspaceUid}`, `workspace/${neverUid}`]],
    uid: [[foreign.uid, neverUid]],
  }
  return {
    sent: Object.values(values).flatMap((pairs) => pairs.map(([existing]) => existing)),
    pairs(method, field, kind) {
      if (kind === 'pageToken') {
        const existing = pageTokens.get(methodName(method)) ?? [...pageTokens.values()][0] ?? ''
        return [{ case: kind, existing, unknown: flipped(existing) }]
      }
      if (kind === 'newId') {
        fresh += 1
        const unknown = `never-was-${fresh}`
        const fits = new RegExp(field.pattern).test(source.slug)
        return fits ? [{ case: kind, existing: source.slug, unknown }] : []
      }
      return (values[kind] ?? []).map(([existing, unknown]) => ({ case: kind, existing, unknown }))
    },
  }
}

function flipped(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20)
  return bytes.toString('base64url')
}

/** Of every list that the other tenant has more than one of. */
async function takePageTokens({ server, foreign, names }: ForeignTokenSource): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const prod = `${foreign.name}/workspaces/prod`
  for (const method of everyMethod.filter(({ input }) => input.fields.some(({ name }) => name === 'page_token'))) {
    let isAnswered = false
    for (const place of [foreign.name, prod, `${prod}/secrets/database`]) {
      const body = { ...makeRequest(method, { names, place }), pageSize: 1 }
      const answer = await callJson(server.httpUrl, method, JSON.stringify(body), bearer(foreign.ownerKey))
      isAnswered ||= answer.code === 'ok'
      const { nextPageToken = '' } = JSON.parse(answer.body) as Json & { nextPageToken?: string }
      if (nextPageToken !== '') found.set(methodName(method), nextPageToken)
    }
    const isMissing = isAnswered && !found.has(methodName(method))
    if (isMissing) throw new Error(`${methodName(method)}: give ${foreign.name} a second one to list`)
  }
  return found
}
