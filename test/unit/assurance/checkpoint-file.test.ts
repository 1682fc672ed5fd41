import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileSink } from '../../../src/assurance/checkpoints/checkpoint-sink.ts'

test('a line behind one that was torn off stands by itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-sink-'))
  const path = join(folder, 'deep', 'checkpoints.jsonl')
  try {
    const sink = fileSink(path)
    await sink.ship('1', 'first')
    appendFileSync(path, '{"half":')
    await sink.ship('2', 'second')
    await sink.ship('3', 'third')
    expect(readFileSync(path, 'utf8')).toBe('first\n{"half":\nsecond\nthird\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
