import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { makeLocalRig } from './local-rig.ts'

const writer = fileURLToPath(new URL('./keyring-writer.ts', import.meta.url))
const rounds = 5

test('a process killed while it makes keys loses none it was told of, and leaves a folder that opens', async () => {
  await using rig = await makeLocalRig()
  const lines: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    const output = await killedAfter(`r${round}`, rig.folder, 20 + round * 7)
    lines.push(...output)
    await using keyring = await rig.open()
    for (const line of lines) {
      const [keyId = '', hex = ''] = line.split(' ')
      const wrapped = { keyId, keyVersion: 1, bytes: Buffer.from(hex, 'hex') }
      expect(await keyring.unwrapDataKey(wrapped, Buffer.from(keyId))).toHaveLength(32)
    }
  }
  expect(lines.length).toBeGreaterThan(rounds * 20)
})

/** Whole lines the writer had written when it was killed, at some point after that many. */
async function killedAfter(prefix: string, folder: string, lineCount: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, folder, prefix], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (text.split('\n').length > lineCount) child.kill('SIGKILL')
  })
  await closed
  return text.split('\n').slice(0, -1)
}
