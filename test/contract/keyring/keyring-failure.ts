import { KeyringError, type KeyringErrorReason } from '../../../src/keyring/keyring-error.ts'

/** The reason a call fails with; other errors pass, so that no test takes a crash for a refusal. */
export async function failureOf(call: Promise<unknown>): Promise<KeyringErrorReason | 'none'> {
  return (await keyringErrorOf(call))?.reason ?? 'none'
}

export async function keyringErrorOf(call: Promise<unknown>): Promise<KeyringError | undefined> {
  try {
    await call
    return undefined
  } catch (error) {
    if (error instanceof KeyringError) return error
    throw error
  }
}
