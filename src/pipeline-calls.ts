import { create, getOption, ScalarType, toBinary } from '@bufbuild/protobuf'
import type { CanaryCalls, CanaryMethod } from './assurance/isolation/canary-world.ts'
import { field as fieldRules } from './gen/buf/validate/validate_pb.ts'
import { fullMethodName } from './rpc/builtin-policies.ts'
import { toStatus } from './rpc/error-mapping.ts'
import type { Pipeline, PipelineMethod } from './rpc/pipeline.ts'

/** Calls through every step of the pipeline from inside the process: what a transport would be told, byte by byte. */
export function pipelineCalls(pipeline: Pipeline): CanaryCalls {
  return {
    methods: [...pipeline.methods.values()].flatMap(answeringMethod),
    async call(desc, request, key) {
      const method = pipeline.methods.get(fullMethodName(desc))
      if (method === undefined) throw new Error(`${fullMethodName(desc)} is not served`)
      const state = method.begin({
        ...{ authorization: `Bearer ${key}`, workspaceHeader: undefined, clientRequestId: undefined },
        ...{ clientIp: '127.0.0.1', deadlineMs: undefined, wantsBytes: true },
      })
      state.body = toBinary(desc.input, create(desc.input, request))
      await method.run(state)
      const { failure } = state
      if (failure !== undefined) return { outcome: failure.reason, bytes: toStatus(failure) }
      return { outcome: 'OK', bytes: state.answerBytes ?? new Uint8Array(0) }
    },
  }
}

/** A method that changes nothing and answers from the place that a field of its request names. */
function answeringMethod({ policy }: PipelineMethod): CanaryMethod[] {
  const { tenantFrom, scopes, limitClass, method, rules } = policy
  if (tenantFrom.kind !== 'field' || limitClass === 'WRITE') return []
  if (!scopes.has('TENANT') && !scopes.has('WORKSPACE')) return []
  const [field, ...deeper] = tenantFrom.fields
  if (field?.fieldKind !== 'scalar' || field.scalar !== ScalarType.STRING || deeper.length > 0) return []
  const { type } = getOption(field, fieldRules)
  const stated = type.case === 'string' ? type.value.pattern : ''
  const pattern = rules[field.name]?.pattern ?? new RegExp(stated, 'u')
  return [{ desc: method, name: fullMethodName(method), field: field.localName, pattern }]
}
