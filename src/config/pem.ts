import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { ReadFile } from './yaml-file.ts'

/** What a file held, and how sentences call the setting that named it. */
export interface NamedBytes {
  readonly name: string
  readonly bytes: Buffer
}

/** Reads the file a setting names. `which`: how the sentence goes on after the name, up to "cannot be read". */
export function readNamed(
  name: string,
  which: string,
  path: string,
  readFile: ReadFile,
  problems: string[],
): NamedBytes | undefined {
  try {
    return { name, bytes: Buffer.from(readFile(path)) }
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    problems.push(`${name} names ${which} cannot be read (${why}); mend the path or its permissions.`)
    return undefined
  }
}

/** What is wrong with a certificate and its key. */
export function certificateProblems(certificate: NamedBytes, privateKey: NamedBytes): string[] {
  const problems = authorityProblems(certificate)
  const own = attempt(() => new X509Certificate(certificate.bytes))
  const key = attempt(() => createPrivateKey(privateKey.bytes))
  if (key === undefined) {
    problems.push(`${privateKey.name} holds no PEM private key without passphrase; name one that does.`)
  }
  if (own !== undefined && key !== undefined && !own.checkPrivateKey(key)) {
    problems.push(
      `${privateKey.name} is not the key of the certificate in ${certificate.name}; name the two that belong together.`,
    )
  }
  return problems
}

/** What is wrong with the certificates that the other side's must come from. */
export function authorityProblems({ name, bytes }: NamedBytes): string[] {
  const found = attempt(() => new X509Certificate(bytes))
  return found === undefined ? [`${name} holds no PEM certificate; name one that does.`] : []
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
