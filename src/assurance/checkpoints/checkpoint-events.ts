import type { ChainPlace } from '../../tenancy/chain-ends.ts'

/** What is to be told of checkpoints, to whoever looks after the installation. */
export interface CheckpointEvents {
  /** A chain is not what was signed for. Once for each chain. */
  rewritten(place: ChainPlace, problem: string): void
  /** So many chains are not what was signed for. */
  rewrittenCount(count: number): void
  /** A chain goes on from a restored database. */
  restored(place: ChainPlace): void
  /** The newest checkpoint this server knew of is not there any more. */
  lost(number: number): void
  unshipped(error: unknown): void
  /** A round failed in a way that does not mend itself. */
  failed(error: unknown): void
  /** Everything committed before that time is in a checkpoint that is outside. */
  current(timeMs: number): void
}
