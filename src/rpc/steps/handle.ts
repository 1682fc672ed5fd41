import { type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import type { Answer } from '../call.ts'
import type { CallState } from '../call-state.ts'
import type { StepFactory } from './step.ts'

/** Runs the method, and turns its answer into what the transport sends. */
export const handleStep: StepFactory = (_parts, { policy, handler }) => {
  const { output } = policy.method
  const hasRevision = policy.limitClass === 'WRITE' && output.fields.some((field) => field.name === 'revision')
  return (state) => {
    if (state.request === undefined) throw new Error('handle comes after decode')
    const answer = handler(state.request, state)
    if (answer instanceof Promise) return answer.then((given) => take(state, output, given, hasRevision))
    take(state, output, answer, hasRevision)
    return undefined
  }
}

function take(state: CallState, output: DescMessage, answer: Answer<DescMessage>, hasRevision: boolean): void {
  if ('encoded' in answer) {
    state.answerBytes = answer.encoded
    if (hasRevision || !state.incoming.wantsBytes) state.answer = fromBinary(output, answer.encoded)
  } else {
    state.answer = answer
    if (state.incoming.wantsBytes) state.answerBytes = toBinary(output, answer)
  }
  if (hasRevision) state.revision = revisionOf(state.answer)
}

function revisionOf(answer: Message | undefined): string {
  const revision = (answer as unknown as { revision?: unknown } | undefined)?.revision
  return typeof revision === 'string' ? revision : ''
}
