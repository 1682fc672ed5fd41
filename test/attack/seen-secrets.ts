/** Something that must stand nowhere but where it belongs. */
export interface Secret {
  /** What it is, for whoever reads a finding. */
  readonly what: string
  readonly bytes: Buffer
}

/** Collects what is secret in one installation, and looks for it in what somebody else could read. */
export interface SecretTraces {
  add(what: string, secret: string | Uint8Array): void
  readonly size: number
  /** How many of this kind. */
  count(what: string): number
  /** Where any of them stands, in any form a secret can be recognised by: as it is, in hex, in base64 at every offset. */
  findIn(where: string, haystack: Buffer | string): string[]
}

export function createSecretTraces(): SecretTraces {
  const secrets = new Map<string, Secret>()
  const forms = new Map<string, readonly Buffer[]>()
  return {
    add(what, secret) {
      const bytes = Buffer.from(typeof secret === 'string' ? Buffer.from(secret) : Uint8Array.from(secret))
      // Shorter ones would be found by chance.
      if (bytes.length < 16) throw new RangeError('a secret to look for has at least 16 bytes')
      const id = bytes.toString('hex')
      if (secrets.has(id)) return
      secrets.set(id, { what, bytes })
      forms.set(id, formsOf(bytes))
    },
    get size() {
      return secrets.size
    },
    count: (what) => [...secrets.values()].filter((secret) => secret.what === what).length,
    findIn(where, haystack) {
      const text = typeof haystack === 'string' ? Buffer.from(haystack) : haystack
      // Pretty-printed bytes of a log or an error are found with their numbers, too.
      return [...secrets].flatMap(([id, { what }]) =>
        (forms.get(id) ?? []).flatMap((form, at) => (text.includes(form) ? [`${where}: ${what}, form ${at}`] : [])),
      )
    },
  }
}

/** Base64 writes the same bytes in three ways, by what stands before them; each without its ends, which depend on the neighbours. */
function formsOf(bytes: Buffer): Buffer[] {
  const base64 = [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '')
      .slice(4, -3)
    return [encoded, encoded.replaceAll('+', '-').replaceAll('/', '_')]
  })
  const hex = bytes.toString('hex')
  const numbers = [...bytes.subarray(0, 16)].join(',')
  return [bytes, ...[...new Set([hex, hex.toUpperCase(), numbers, ...base64])].map((form) => Buffer.from(form))]
}
