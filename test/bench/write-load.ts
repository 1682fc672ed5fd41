import { connect } from 'node:http2'
import { create, toBinary } from '@bufbuild/protobuf'
import { CreateMembershipRequestSchema } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { callOnce } from './http2-load.ts'

/** Where the product's writers write: one key for each tenant, and users that are no members yet. */
export interface WriteTenant {
  readonly name: string
  readonly key: string
  /** Ids of users, each good for one membership in each workspace. */
  readonly users: readonly string[]
}

export interface WriteResult {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly failed: number
}

const path = '/tenure.v1.MembershipService/CreateMembership'

/** Memberships of `tenant` in one workspace, as framed gRPC messages: each is sent once. */
function membershipBodies({ name, users }: WriteTenant, workspace: string): Buffer[] {
  return users.map((user) => {
    const request = create(CreateMembershipRequestSchema, {
      parent: `${name}/workspaces/${workspace}`,
      membership: { member: { case: 'user', value: `${name}/users/${user}` }, roles: ['roles/member'] },
    })
    const message = toBinary(CreateMembershipRequestSchema, request)
    const frame = Buffer.alloc(5 + message.length)
    frame.writeUInt32BE(message.length, 1)
    frame.set(message, 5)
    return frame
  })
}

/** A closed loop: `workers` of them, each taking the next write once its last one is answered. */
export async function runWrites(
  workers: number,
  next: () => (() => Promise<boolean>) | undefined,
): Promise<WriteResult> {
  const latencies: number[] = []
  let failed = 0
  const startMs = performance.now()
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let write = next(); write !== undefined; write = next()) {
        const beganMs = performance.now()
        if (!(await write())) failed += 1
        latencies.push(performance.now() - beganMs)
      }
    }),
  )
  const seconds = (performance.now() - startMs) / 1_000
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { perSecond: latencies.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), failed }
}

/** Writes through the product: every tenant's bodies in turn. */
export async function runProductWrites(
  port: number,
  workers: number,
  tenants: readonly WriteTenant[],
  workspace: string,
): Promise<WriteResult> {
  const session = connect(`http://127.0.0.1:${port}`)
  const queue = tenants.map((tenant) => ({ key: tenant.key, bodies: membershipBodies(tenant, workspace) }))
  let turn = 0
  try {
    return await runWrites(workers, () => {
      for (let tried = 0; tried < queue.length; tried += 1) {
        const entry = queue[turn % queue.length]
        turn += 1
        const body = entry?.bodies.pop()
        if (entry !== undefined && body !== undefined) return () => callOnce(session, { path, key: entry.key }, body)
      }
      return undefined
    })
  } finally {
    session.close()
  }
}
