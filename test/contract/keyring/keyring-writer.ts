import { openLocalKeyring } from '../../../src/keyring/local/local-keyring.ts'
import { realRandom, steppingClock } from './local-rig.ts'

/** A process that makes keys until it is killed, and says a key's name only once it was told that the key is made. */
const [folder = '', prefix = ''] = process.argv.slice(2)
const keyring = await openLocalKeyring({ folder, random: realRandom, clock: steppingClock() })
for (let count = 0; count < 100_000; count += 1) {
  const { wrapped } = await keyring.createKey(`${prefix}-${count}`).then(({ keyId }) => {
    return keyring.generateDataKey(keyId, Buffer.from(keyId))
  })
  process.stdout.write(`${wrapped.keyId} ${Buffer.from(wrapped.bytes).toString('hex')}\n`)
}
