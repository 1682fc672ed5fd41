import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import type { CheckpointChain, CheckpointDocument } from '../../src/jwt/audit-checkpoint.ts'

/** What the server of that folder has shipped, in its order. Signatures are not looked at here. */
export function shippedIn(folder: string): CheckpointDocument[] {
  return linesIn(folder).map((line) => {
    const { data } = JSON.parse(line) as { data: { checkpoint: string } }
    return decodeJwt(data.checkpoint) as unknown as CheckpointDocument
  })
}

export function checkpointFileOf(folder: string): string {
  return join(folder, 'audit-checkpoints.jsonl')
}

function linesIn(folder: string): string[] {
  try {
    return readFileSync(checkpointFileOf(folder), 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}

/** Waits until a chain is shipped that far. Answers it, and how long that took. */
export async function shipped(
  folder: string,
  place: { readonly tenantUid: string; readonly chain: string },
  atLeast: number,
): Promise<CheckpointChain & { readonly waitedMs: number }> {
  const beganMs = performance.now()
  for (;;) {
    const found = shippedIn(folder)
      .flatMap(({ chains }) => chains)
      .findLast(({ tenantUid, chain }) => tenantUid === place.tenantUid && chain === place.chain)
    const waitedMs = performance.now() - beganMs
    if (found !== undefined && found.sequence >= atLeast) return { ...found, waitedMs }
    if (waitedMs > 20_000) throw new Error(`${place.chain} is not shipped up to ${atLeast}`)
    await sleep(100)
  }
}
