import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { createIds } from '../../../src/base/ids.ts'
import { createAlertHook } from '../../../src/observe/alert-hook.ts'

test('a receiver that has gone silent does not keep a server from stopping, and each alert that is lost is told', async () => {
  // Takes every connection and says nothing.
  await using receiver = createServer((socket) => socket.on('error', () => undefined).resume())
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const address = receiver.address()
  if (address === null || typeof address === 'string') throw new Error('it does not listen')
  const lost: string[] = []
  const ids = createIds(systemClock, (bytes) => void randomFillSync(bytes))
  const hook = createAlertHook({
    ...{ url: `http://127.0.0.1:${address.port}/`, secret: undefined, clock: systemClock, ids },
    failed: (type) => void lost.push(type),
  })
  for (let count = 0; count < 20; count += 1) hook.raise('guard.refused', { count })
  const beganMs = performance.now()
  await hook[Symbol.asyncDispose]()
  expect(performance.now() - beganMs).toBeLessThan(9_000)
  expect(lost).toHaveLength(20)
})
