import { expect, test } from 'vitest'
import { startOpenBao } from '../../rigs/openbao/start-openbao.ts'
import { openFaultProxy } from '../../rigs/tcp-fault-proxy.ts'
import { makeVaultRig } from './vault-rig.ts'

test('one kept connection that was closed on the way costs at most the call that used it', async () => {
  await using bao = await startOpenBao()
  await using network = await openFaultProxy(bao)
  await using rig = await makeVaultRig(bao)
  const keyring = await rig.open({ address: `http://${network.host}:${network.port}` })
  await keyring.createKey('k')
  const place = Buffer.from('place')
  const ask = () =>
    keyring.generateDataKey('k', place).then(
      () => 'ok',
      (error: { reason: string }) => error.reason,
    )
  await Promise.all(Array.from({ length: 8 }, ask))
  // What a balancer does with a connection that idled too long: the next request on it is answered with a reset.
  network.cutWhen((_bytes, direction) => (direction === 'toServer' ? 'before' : undefined), { times: 1 })
  const outcomes: string[] = [await ask()]
  const end = Date.now() + 1_000
  while (Date.now() < end) {
    outcomes.push(await ask())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const failed = outcomes.filter((outcome) => outcome !== 'ok').length
  expect(failed).toBeLessThanOrEqual(1)
})
