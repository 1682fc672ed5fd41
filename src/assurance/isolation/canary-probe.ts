import { create, type DescMessage } from '@bufbuild/protobuf'
import { canarySlugs } from '../../base/canaries.ts'
import type { Clock } from '../../base/clock.ts'
import { SecretService } from '../../gen/tenure/v1/secret_service_pb.ts'
import { TokenService } from '../../gen/tenure/v1/token_service_pb.ts'
import { WorkspaceService } from '../../gen/tenure/v1/workspace_service_pb.ts'
import { ask, type Canary, type CanaryCalls, type CanaryMethod, closeCanary, openCanary } from './canary-world.ts'
import type { Looking, Probe } from './probe.ts'

export interface CanaryParts {
  readonly calls: CanaryCalls
  readonly clock: Clock
  /** A key of the platform for this look alone; disposing revokes it. */
  readonly openRootKey: () => Promise<{ readonly key: string } & AsyncDisposable>
}

/**
 * Two tenants of the server's own call every method that answers from a place, as anybody from outside does: each gets what
 * is its own, nothing of the other, and the same refusal for what the other has as for what never was.
 */
export function canaryProbe({ calls, clock, openRootKey }: CanaryParts): Probe {
  return {
    name: 'canaries',
    async look(looking) {
      await using root = await openRootKey()
      const [first, second] = canarySlugs
      const one = await openCanary(calls, first, root.key, clock.nowMs())
      const other = await openCanary(calls, second, root.key, clock.nowMs())
      try {
        // Turn about, so that whatever one of them leaves in a cache lies in the other's way.
        for (const [self, foreign] of [
          [one, other],
          [other, one],
          [one, other],
        ] as const) {
          await lookFrom(calls, self, foreign, looking)
        }
      } finally {
        await closeCanary(calls, one, root.key)
        await closeCanary(calls, other, root.key)
      }
    },
  }
}

async function lookFrom(calls: CanaryCalls, self: Canary, foreign: Canary, looking: Looking): Promise<void> {
  for (const method of calls.methods) {
    await looking.pause()
    for (const name of fitting(method, self)) await lookAtOwn(calls, method, name, self, foreign, looking)
    for (const name of fitting(method, foreign)) await lookAtForeign(calls, method, name, self, foreign, looking)
  }
  await lookAtValues(calls, self, foreign, looking)
}

function fitting({ pattern }: CanaryMethod, { names }: Canary): string[] {
  return names.filter((name) => name !== '' && pattern.test(name))
}

function requestOf({ desc, field }: CanaryMethod, name: string) {
  return create(desc.input as DescMessage, { [field]: name } as never) as never
}

async function lookAtOwn(
  calls: CanaryCalls,
  method: CanaryMethod,
  name: string,
  self: Canary,
  foreign: Canary,
  { checked, found }: Looking,
): Promise<void> {
  checked()
  const { bytes } = await calls.call(method.desc, requestOf(method, name), self.key)
  const leaked = traceOf(foreign, bytes)
  if (leaked === '') return
  const description = `${method.name} for ${name} answered with ${leaked} of ${foreign.name}.`
  found({ kind: 'answer-leaks', tenantUid: foreign.uid, subject: method.name, description })
}

async function lookAtForeign(
  calls: CanaryCalls,
  method: CanaryMethod,
  name: string,
  self: Canary,
  foreign: Canary,
  { checked, found }: Looking,
): Promise<void> {
  checked()
  const there = await calls.call(method.desc, requestOf(method, name), self.key)
  if (there.outcome === 'OK') {
    const description = `${method.name} for ${name} was answered to ${self.name}.`
    found({ kind: 'answer-leaks', tenantUid: foreign.uid, subject: method.name, description })
    return
  }
  const nowhere = name.replace(foreign.name, `${foreign.name.slice(0, -1)}z`)
  const unknown = await calls.call(method.desc, requestOf(method, nowhere), self.key)
  if (Buffer.from(there.bytes).equals(unknown.bytes)) return
  const description = `${method.name} for ${name} is refused in another way than for a name that never was.`
  found({ kind: 'refusal-differs', tenantUid: foreign.uid, subject: method.name, description })
}

/** What is not seen by names alone: a value that was sealed, a token, a search. */
async function lookAtValues(
  calls: CanaryCalls,
  self: Canary,
  foreign: Canary,
  { checked, found }: Looking,
): Promise<void> {
  const leak = (subject: string, description: string) =>
    found({ kind: 'answer-leaks', tenantUid: foreign.uid, subject, description })
  const secret = `${self.name}/workspaces/perch/secrets/song/versions/latest`
  const { payload } = await ask(calls, SecretService.method.accessSecretVersion, { name: secret }, self.key)
  if (Buffer.from(payload).toString() !== self.marker) leak('AccessSecretVersion', `${secret} holds another value.`)
  const { token } = await ask(calls, TokenService.method.issueToken, { parent: self.name }, self.key)
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url')
  if (traceOf(foreign, claims) !== '' || !claims.includes(self.uid)) {
    leak('IssueToken', `A token for ${self.name} is not about it alone.`)
  }
  const filter = `display_name = "${foreign.marker}"`
  const search = await ask(calls, WorkspaceService.method.listWorkspaces, { parent: self.name, filter }, self.key)
  if (search.workspaces.length > 0) leak('ListWorkspaces', `A search in ${self.name} found what ${foreign.name} has.`)
  checked(3)
}

/** What of a tenant stands in these bytes; empty: nothing. */
function traceOf({ uid, marker, key }: Canary, bytes: Uint8Array): string {
  const held = Buffer.from(bytes)
  if (held.includes(uid)) return 'the uid'
  if (held.includes(marker)) return 'a value'
  return held.includes(key) ? 'the key' : ''
}
