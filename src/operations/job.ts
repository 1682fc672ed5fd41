import type { DescMessage, Message } from '@bufbuild/protobuf'
import type { OperationNotes, OperationRow } from './operation.ts'

/** How far a job is. `checkpoint` is where whoever takes it up after a crash goes on. */
export interface Progress {
  readonly phase: string
  readonly done: number
  readonly total: number
  readonly message: string
  readonly checkpoint?: OperationNotes
}

/** One taking up of an operation. */
export interface JobRun {
  /** As it was taken up: with its input, and the checkpoint of whoever had it before. */
  readonly operation: OperationRow
  /** Aborted when the server stops, or another one has taken the operation over. */
  readonly signal: AbortSignal
  /**
   * Durable when it resolves, and the lease is longer then. Throws when another server has taken the operation over, and
   * when the server stops: the job lets that through and leaves everything so that it can be gone on with.
   */
  progress(progress: Progress): Promise<void>
  /** Throws where somebody has asked the operation to stop. To be called where nothing is half done. */
  stopIfCancelled(): Promise<void>
}

export interface JobAnswer {
  readonly schema: DescMessage
  readonly message: Message
}

/**
 * The work behind one kind of operation. It may be begun any number of times, by any server, and twice at once for a
 * moment where a lease ended under a server that slept: every step can be repeated.
 */
export interface Job {
  readonly kind: string
  /** Half done it must not be left, and there may be no way back: it is tried again, however often it failed. */
  readonly untilDone?: true
  run(run: JobRun): Promise<JobAnswer>
}

/** Thrown by `stopIfCancelled`. */
export class OperationCancelled extends Error {
  override readonly name = 'OperationCancelled'
}

/** Thrown where the operation is another server's by now, or this server stops. Nobody is told: it goes on elsewhere. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}
