import { bearer, callJson, everyMethod } from './caller.ts'
import { shapeOfName } from './name-shapes.ts'
import type { Json, NamesByShape } from './request-maker.ts'

/** Finds every name that stands, by asking each List method, first of one place, then of all it found in it. */
export async function takeInventory(
  httpUrl: string,
  rootKey: string,
  first = '',
  hear: (answer: Json) => void = () => {},
): Promise<readonly string[]> {
  const found = new Set<string>()
  const places = [first]
  const lists = everyMethod.filter(({ name }) => name.startsWith('List'))
  for (let at = 0; at < places.length && at < 100; at += 1) {
    const parent = places[at] ?? ''
    for (const method of lists) {
      // Operations are listed by the name of what they are of.
      const place = method.input.fields.find(({ jsonName }) => jsonName === 'parent' || jsonName === 'name')
      if (place === undefined && parent !== '') continue
      const body = JSON.stringify({ ...(place === undefined ? {} : { [place.jsonName]: parent }), pageSize: 1000 })
      const answer = await callJson(httpUrl, method, body, bearer(rootKey))
      if (answer.code !== 'ok') continue
      const listed = JSON.parse(answer.body) as Json
      hear(listed)
      for (const name of namesIn(listed)) {
        if (found.has(name)) continue
        found.add(name)
        if (/^tenants\/[^/]+(?:\/workspaces\/[^/]+(?:\/secrets\/[^/]+)?)?$/.test(name)) places.push(name)
      }
    }
  }
  return [...found]
}

/** Of what is listed, and of nothing that stands inside it: an operation tells of what it has removed. */
function namesIn(listed: Json): string[] {
  const things = Object.values(listed).flatMap((held) => (Array.isArray(held) ? (held as Json[]) : []))
  return things.map(({ name }) => name).filter((name) => typeof name === 'string')
}

/** Of one tenant, or with an empty prefix of the platform. */
export function namesOf(inventory: readonly string[], tenant: string): NamesByShape {
  const byShape = new Map<string, string[]>()
  for (const name of inventory) {
    const own = tenant === '' ? !name.startsWith('tenants/') : name === tenant || name.startsWith(`${tenant}/`)
    if (!own) continue
    const shape = shapeOfName(name)
    const names = byShape.get(shape) ?? []
    names.push(name)
    byShape.set(shape, names)
  }
  return byShape
}
