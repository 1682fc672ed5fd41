import { setTimeout as sleep } from 'node:timers/promises'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { membershipsOf, type Realm, type Thing } from './crash-model.ts'
import { memberWorkspaces, probeUsers } from './crash-plan.ts'
import type { CrashServer } from './crash-server.ts'

/** How soon a server has to answer right again after a fault; a healthy feed needs two seconds. */
export const recoveryBoundMs = 5_000
/** What changed longer ago has come to every server by its feed alone. */
const settledMs = 2_000
const pauseMs = 25

/** Who may read orders where, as it has to be decided. */
interface Question {
  readonly tenant: string
  readonly workspace: string
  readonly user: string
  readonly allowed: boolean
}

/** About the user of this membership, who may have another one there by now. Undefined where nobody knows the answer. */
function questionAbout(realm: Realm, { kind, workspace, user }: Thing): Question | undefined {
  if (kind !== 'membership' || user === undefined) return undefined
  const there = membershipsOf(realm, user).filter((each) => each.workspace === workspace)
  if (there.some(({ uncertain }) => uncertain)) return undefined
  const allowed = there.some(({ exists, text }) => exists && text === 'reader')
  return { tenant: realm.slug, workspace, user: user.slug, allowed }
}

/** A user without any membership: the answer never changes, and a server has to catch up before it gives it. */
function standingQuestion({ slug }: Realm): Question {
  return { tenant: slug, workspace: memberWorkspaces[0], user: probeUsers[0], allowed: false }
}

async function decides(
  server: CrashServer,
  key: string,
  question: Question,
  atLeastRevision: string,
): Promise<boolean> {
  const { tenant, workspace, user } = question
  const { decision } = await server.client(AccessService, key).authorize({
    parent: `tenants/${tenant}/workspaces/${workspace}`,
    credential: { case: 'principal', value: { kind: { case: 'user', value: `tenants/${tenant}/users/${user}` } } },
    permission: 'orders.read',
    atLeastRevision,
  })
  return decision === Decision.ALLOW
}

/** Asks every server again and again until it decides as it has to. Answers who did not within the bound. */
async function decidedByAll(
  servers: readonly CrashServer[],
  key: string,
  questions: readonly Question[],
  { atLeastRevision, wrongIsFinal }: { readonly atLeastRevision: string; readonly wrongIsFinal: boolean },
): Promise<string[]> {
  const untilMs = performance.now() + recoveryBoundMs
  const wrong: string[] = []
  const askAll = async (server: CrashServer) => {
    for (const question of questions) {
      for (;;) {
        const decided = await decides(server, key, question, atLeastRevision).catch(String)
        if (decided === question.allowed) break
        const final = wrongIsFinal && typeof decided === 'boolean'
        if (!final && performance.now() < untilMs) await sleep(pauseMs)
        else {
          const { tenant, workspace, user } = question
          wrong.push(
            `${server.name} decides ${decided} about ${user} in ${tenant}/${workspace}, revision "${atLeastRevision}"`,
          )
          break
        }
      }
    }
  }
  await Promise.all(servers.map(askAll))
  return wrong
}

export interface AccessChecks {
  /** With the newest revision of the realm: every server answers by it, the first time it answers at all. */
  compareNow(realm: Realm, touched: readonly Thing[]): Promise<string[]>
  /** Without one: what was compared a while ago, and has not changed since, has come to every server by its feed. */
  compareSettled(): Promise<string[]>
  /** The same for these, however long ago they changed. */
  compareByFeed(realm: Realm, things: readonly Thing[]): Promise<string[]>
}

export function createAccessChecks(servers: readonly CrashServer[], key: string): AccessChecks {
  const fresh = new Map<Thing, Realm>()
  const byFeed = { atLeastRevision: '', wrongIsFinal: false }
  return {
    compareNow(realm, touched) {
      for (const thing of touched) if (thing.kind === 'membership') fresh.set(thing, realm)
      const questions = [standingQuestion(realm), ...questionsAbout(realm, touched)]
      return decidedByAll(servers, key, questions, { atLeastRevision: realm.revision, wrongIsFinal: true })
    },
    compareSettled() {
      const beforeMs = performance.now() - settledMs
      const due = [...fresh].filter(([{ changedAtMs }]) => changedAtMs < beforeMs)
      for (const [thing] of due) fresh.delete(thing)
      const questions = due.flatMap(([thing, realm]) => questionsAbout(realm, [thing]))
      return decidedByAll(servers, key, questions, byFeed)
    },
    compareByFeed: (realm, things) => decidedByAll(servers, key, questionsAbout(realm, things), byFeed),
  }
}

function questionsAbout(realm: Realm, things: readonly Thing[]): Question[] {
  return things.flatMap((thing) => questionAbout(realm, thing) ?? [])
}

/** A server that cannot follow its database goes on deciding for a while, so that nothing else would show it. */
export async function compareFreshness(servers: readonly CrashServer[], key: string): Promise<string[]> {
  const untilMs = performance.now() + recoveryBoundMs
  const look = async (server: CrashServer): Promise<string[]> => {
    for (;;) {
      const info = await server.client(DiagnosticsService, key).getServerInfo({})
      const ageMs = info.feedFreshness === undefined ? Number.POSITIVE_INFINITY : durationMs(info.feedFreshness)
      if (ageMs < settledMs) return []
      if (performance.now() >= untilMs) return [`${server.name} has not followed its database for ${ageMs} ms`]
      await sleep(pauseMs)
    }
  }
  return (await Promise.all(servers.map(look))).flat()
}
