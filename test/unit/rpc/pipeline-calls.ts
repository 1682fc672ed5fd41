import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  CreateWorkspaceRequestSchema,
  GetWorkspaceRequestSchema,
} from '../../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { CallState, IncomingCall } from '../../../src/rpc/call-state.ts'
import type { SmallPipeline } from '../../parity/small-server.ts'

export const workspaces = 'tenure.v1.WorkspaceService'
const incoming: IncomingCall = {
  authorization: 'Bearer admin',
  workspaceHeader: undefined,
  clientRequestId: 'req-1',
  clientIp: '10.0.0.1',
  deadlineMs: undefined,
  wantsBytes: true,
}

export function begin<I extends DescMessage>(
  small: SmallPipeline,
  name: string,
  schema: I,
  request: MessageInitShape<I>,
  change: Partial<IncomingCall> = {},
): { state: CallState; run: () => void | Promise<void> } {
  const method = small.pipeline.methods.get(name)
  if (method === undefined) throw new Error(`no method ${name}`)
  const state = method.begin({ ...incoming, ...change })
  state.body = toBinary(schema, create(schema, request))
  return { state, run: () => method.run(state) }
}

export async function call<I extends DescMessage>(
  small: SmallPipeline,
  name: string,
  schema: I,
  request: MessageInitShape<I>,
  change: Partial<IncomingCall> = {},
) {
  const { state, run } = begin(small, name, schema, request, change)
  await run()
  return state
}

export const get = (small: SmallPipeline, name: string, change: Partial<IncomingCall> = {}) =>
  call(small, `${workspaces}/GetWorkspace`, GetWorkspaceRequestSchema, { name }, change)
export const createOne = (
  small: SmallPipeline,
  workspaceId: string,
  more: { requestId?: string; parent?: string } = {},
  change: Partial<IncomingCall> = {},
) =>
  call(
    small,
    `${workspaces}/CreateWorkspace`,
    CreateWorkspaceRequestSchema,
    { parent: 'tenants/acme', workspaceId, workspace: {}, ...more },
    change,
  )

export const prod = 'tenants/acme/workspaces/prod'
