import type { GuardRefusalReason } from '../../../src/sql-guard/guard-refusal.ts'
import type { CorpusEntry } from './corpus-binding.ts'
import { HONEST_CLAUSES, HOSTILE_CLAUSES } from './corpus-clauses.ts'
import { HONEST } from './corpus-honest.ts'
import { HOSTILE_BINDINGS } from './corpus-hostile-bindings.ts'
import { HOSTILE_CLASSES } from './corpus-hostile-classes.ts'
import { HOSTILE_TEXTS } from './corpus-hostile-texts.ts'
import { HOSTILE_TREES } from './corpus-hostile-trees.ts'

/** Statement, dialect, binding and verdict. `undefined` is let through; anything else is the reason of the refusal. */
export interface CorpusVerdict extends CorpusEntry {
  readonly refusal: GuardRefusalReason | undefined
}

function verdictsOf(groups: Readonly<Partial<Record<GuardRefusalReason, CorpusEntry[][]>>>): CorpusVerdict[] {
  return Object.entries(groups).flatMap(([reason, entries]) =>
    entries.flat().map((entry) => ({ ...entry, refusal: reason as GuardRefusalReason })),
  )
}

export const HOSTILE: readonly CorpusVerdict[] = [
  HOSTILE_TEXTS,
  HOSTILE_TREES,
  HOSTILE_CLASSES,
  HOSTILE_CLAUSES,
  HOSTILE_BINDINGS,
].flatMap(verdictsOf)

export const CORPUS: readonly CorpusVerdict[] = [
  ...[...HONEST, ...HONEST_CLAUSES.flat()].map((entry) => ({ ...entry, refusal: undefined })),
  ...HOSTILE,
]
