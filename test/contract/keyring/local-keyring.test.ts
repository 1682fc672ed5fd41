import { describeKeyring } from './keyring-contract.ts'
import { makeLocalRig } from './local-rig.ts'

describeKeyring('the local keyring', () => makeLocalRig())
