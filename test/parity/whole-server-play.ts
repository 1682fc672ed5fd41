import { expect } from 'vitest'
import type { Json } from '../attack/request-maker.ts'
import type { Played } from './played.ts'

const ids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** What the server makes anew for every call, and so differs between two answers that are the same. */
const made: ReadonlySet<string> = new Set(
  'feedFreshness uid etag revision nextPageToken secret prefix createTime updateTime deleteTime purgeTime destroyTime time eventTime hash headHash'.split(
    ' ',
  ),
)

/** Compares answers that each transport got of a call of its own. Answers the first, without what is made for each call. */
export function aliased(played: readonly Played[]): Omit<Played, 'transport'> {
  const [first, ...others] = played.map(withoutMade)
  if (first === undefined) throw new Error('nothing was played')
  for (const [index, other] of others.entries()) expect(other, played[index + 1]?.transport).toEqual(first)
  if (first.code !== 'OK') expect(first.reason).not.toBe('')
  return first
}

function withoutMade({ transport: _, ...played }: Played): Omit<Played, 'transport'> {
  const text = JSON.stringify({ ...played, revision: played.revision === '' ? '' : 'R' }, (key, value: unknown) =>
    isProgress(value)
      ? 'PROGRESS'
      : made.has(key) && key !== '' && typeof value === 'string' && key !== 'revision'
        ? value === ''
          ? ''
          : 'MADE'
        : value,
  )
  const plain = text
    .replace(ids, 'UID')
    .replace(/"revision":"[^"]{8,}"/g, '"revision":"MADE"')
    .replace(/(?:member|user|account|fresh)-[0-9a-z]+|(-new|[a-z]{8,}|parity\.v)-?[0-4](?=["/\\])/g, '$1N')
  return JSON.parse(plain) as Omit<Played, 'transport'>
}

/** Work goes on between two answers about it. */
function isProgress(value: unknown): boolean {
  return typeof value === 'object' && value !== null && String((value as Json)['@type']).endsWith('.OperationMetadata')
}
