/** The part of a request that is looked at. What node:http, Express, Koa and Fastify give has it. */
export interface RequestLike {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Names and values in turn. Where it is there, a header sent twice is seen even where `headers` hides it. */
  readonly rawHeaders?: readonly string[]
}

/** Every value a header of that name, in lower case, was sent with. */
export function headerValues({ headers, rawHeaders }: RequestLike, name: string): readonly string[] {
  const merged = headers[name]
  const values = merged === undefined ? [] : typeof merged === 'string' ? [merged] : merged
  if (rawHeaders === undefined) return values
  const raw = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
  // Where the two differ in number, the one that shows more is believed.
  return raw.length > values.length ? raw : values
}
