import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { durationMs, EmptySchema } from '@bufbuild/protobuf/wkt'
import type { Clock } from '../base/clock.ts'
import { invalidField, notFound, TenureError } from '../base/errors.ts'
import { parseName } from '../base/resource-name.ts'
import { ListOperationsResponseSchema, Operations } from '../gen/google/longrunning/operations_pb.ts'
import {
  actorOf,
  type Call,
  callerOf,
  implement,
  mutationOf,
  pageBindingOf,
  type ServiceImplementation,
} from '../rpc/call.ts'
import type { Demand, Gate } from '../rpc/ports.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { OperationRow } from './operation.ts'
import { operationToProto } from './operation-proto.ts'
import { type OperationHomes, operationRows, platformOperationRows } from './operation-store.ts'

export interface OperationServiceParts extends OperationHomes {
  readonly tokens: PageTokens
  readonly clock: Clock
  readonly gate: Gate
}

const listSpec: ListSpec = {
  tieBreak: 'operationId',
  defaultOrder: { field: 'create_time', descending: true },
  fields: {
    kind: { property: 'kind', kind: 'text', filter: true },
    target: { property: 'target', kind: 'text', filter: true },
    state: {
      property: 'state',
      kind: 'word',
      filter: true,
      words: ['OPEN', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
    },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

const demand: Demand = {
  permission: 'operations.get',
  workspaceItself: false,
  write: false,
  unknownPlaceIsAnAnswer: false,
}

const lookEveryMs = 250
const longestWaitMs = 25_000

/** google.longrunning.Operations over the operations of tenants and of the platform. */
export function createOperationService(parts: OperationServiceParts): ServiceImplementation {
  return implement(Operations, {
    async listOperations(request, call) {
      // Its proto is not ours, so that no rule of it has looked at the number.
      if (request.pageSize < 0) throw invalidField('page_size', 'must not be negative')
      const binding = pageBindingOf(call, [request.name, request.filter])
      return read(parts, call, async (rows) => {
        const page = await listPage(rows, listSpec, { ...request, orderBy: '' }, binding, parts.tokens)
        return create(ListOperationsResponseSchema, {
          operations: page.rows.map((row) => toProto(asBelieved(rows, row), call)),
          nextPageToken: page.nextPageToken,
        })
      })
    },
    getOperation: async (request, call) => toProto(await findOne(parts, call, request.name), call),
    async waitOperation(request, call) {
      const asked = request.timeout === undefined ? longestWaitMs : durationMs(request.timeout)
      const untilMs = parts.clock.monotonicMs() + Math.min(Math.max(asked, 0), longestWaitMs)
      let row = await findOne(parts, call, request.name)
      while (row.state === 'OPEN' && parts.clock.monotonicMs() < untilMs && !call.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
        await admitAgain(parts.gate, call)
        row = await findOne(parts, call, request.name)
      }
      return toProto(row, call)
    },
    async cancelOperation(request, call) {
      return write(parts, call, EmptySchema, request.name, async (rows) => {
        const row = await findIn(rows, request.name)
        // Cancelling what has ended changes nothing, as AIP-151 has it.
        if (row.state === 'OPEN') await rows.update(row.operationId, { cancelRequested: true })
        return create(EmptySchema)
      })
    },
    async deleteOperation(request, call) {
      return write(parts, call, EmptySchema, request.name, async (rows) => {
        const row = await findIn(rows, request.name)
        // One that Tenure did not write is done by nobody, so that it never ends.
        if (row.state === 'OPEN' && rows.isGenuine(row)) {
          throw new TenureError('INVALID_STATE', 'The operation has not ended. Cancel it, and wait until it has.', {
            metadata: { state: row.state },
          })
        }
        await rows.delete(row.operationId)
        return create(EmptySchema)
      })
    },
  })
}

/** Whoever waits may lose their power meanwhile: what is written after that is not for them. */
async function admitAgain(gate: Gate, call: Call): Promise<void> {
  const caller = callerOf(call)
  if (call.context === undefined) return gate.admitPlatform(caller, demand.permission)
  const { tenantSlug: tenant, workspaceSlug: workspace } = call.context
  await gate.admit(caller, { tenant, workspace }, demand, actorOf(call))
}

async function findOne(parts: OperationServiceParts, call: Call, name: string): Promise<OperationRow> {
  return read(parts, call, async (rows) => asBelieved(rows, await findIn(rows, name)))
}

/** Whatever a row that Tenure did not write says of an end: it is none. */
function asBelieved(rows: Rows<OperationRow>, row: OperationRow): OperationRow {
  if (rows.isGenuine(row)) return row
  const message = 'This was not written by Tenure, or was changed past it: nobody does it. Find out who did; delete it.'
  return { ...row, state: 'OPEN', error: null, response: null, message }
}

async function findIn(rows: Rows<OperationRow>, name: string): Promise<OperationRow> {
  const row = await rows.find({ operationId: parseName(name)?.id ?? '' })
  if (row === undefined) throw notFound()
  return row
}

function read<T>(
  { scopes, directory, capabilities }: OperationHomes,
  { context }: Call,
  work: (rows: Rows<OperationRow>) => Promise<T>,
): Promise<T> {
  if (context !== undefined) return scopes.read(context, (scope) => work(operationRows(scope)))
  return directory.read(capabilities['platform-operations'], (scope) => work(platformOperationRows(scope)))
}

function write<O extends DescMessage>(
  { scopes, directory, capabilities }: OperationHomes,
  call: Call,
  response: O,
  target: string,
  work: (rows: Rows<OperationRow>) => Promise<MessageShape<O>>,
): Promise<MessageShape<O>> {
  const mutation = mutationOf(call, response, { target })
  if (call.context !== undefined) {
    return scopes.write(call.context, mutation, (unit) => work(operationRows(unit)))
  }
  return directory.write(capabilities['platform-operations'], actorOf(call), mutation, (unit) =>
    work(platformOperationRows(unit)),
  )
}

function toProto(row: OperationRow, call: Call) {
  return operationToProto(row, { tenant: call.context?.tenantSlug ?? '' })
}
