import { create, type DescMessage, type DescService, type Message } from '@bufbuild/protobuf'
import { notFound } from '../base/errors.ts'
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../gen/grpc/health/v1/health_pb.ts'
import type { Handler, ServiceImplementation } from './call.ts'
import type { StreamMethod } from './stream.ts'

/** `grpc.health.v1.Health`. The empty service name is the server as a whole; every service serves when it does. */
export interface HealthParts {
  readonly implementation: ServiceImplementation
  readonly streams: readonly StreamMethod[]
  /** Tells every watcher, too. Starts NOT_SERVING. */
  setServing(serving: boolean): void
}

export function createHealth(services: readonly DescService[]): HealthParts {
  const names = new Set(['', ...services.map((service) => service.typeName)])
  const changes = new EventTarget()
  let status: Status = Status.NOT_SERVING
  const answer = (service: string) =>
    create(HealthCheckResponseSchema, { status: names.has(service) ? status : Status.SERVICE_UNKNOWN })
  const check = (request: HealthCheckRequest) => {
    if (!names.has(request.service)) throw notFound()
    return answer(request.service)
  }
  const list = () =>
    create(HealthListResponseSchema, { statuses: Object.fromEntries([...names].map((name) => [name, answer(name)])) })
  return {
    implementation: {
      service: Health,
      handlers: { check: check as unknown as Handler<DescMessage, DescMessage>, list },
    },
    streams: [{ method: Health.method.watch, open: (requests, call) => watch(requests, call.signal, answer, changes) }],
    setServing(serving) {
      status = serving ? Status.SERVING : Status.NOT_SERVING
      changes.dispatchEvent(new Event('change'))
    },
  }
}

async function* watch(
  requests: AsyncIterable<Message>,
  signal: AbortSignal,
  answer: (service: string) => HealthCheckResponse,
  changes: EventTarget,
): AsyncIterable<Message> {
  const request = await firstOf(requests)
  let last: Status | undefined
  while (!signal.aborted) {
    const changed = nextChange(changes, signal)
    const response = answer(request.service)
    if (response.status !== last) {
      last = response.status
      yield response
    }
    await changed
  }
}

async function firstOf(requests: AsyncIterable<Message>): Promise<HealthCheckRequest> {
  for await (const request of requests) return request as HealthCheckRequest
  throw notFound()
}

/** Listens before the status is read, so that a change between the two is not lost. */
function nextChange(changes: EventTarget, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      changes.removeEventListener('change', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    changes.addEventListener('change', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
