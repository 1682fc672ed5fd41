/** One call of a story: `Service/Method` and its request as JSON, perhaps of what was answered before. */
export interface StoryStep {
  readonly call: string
  readonly body: unknown
  /** What an earlier call was answered with. */
  readonly from?: string
}

export interface Named {
  readonly [resource: string]: { readonly name: string; readonly etag?: string }
}

export const step = (call: string, body: unknown = {}): StoryStep => ({ call, body })

/** `{name}` in a text of the body stands for the name that the first resource of the answer `from` has. */
export const after = (from: string, call: string, body: unknown): StoryStep => ({ call, body, from })

export const since = 'create_time > "2026-01-01T00:00:00Z"'

/** A list as it is asked for: whole, by its filter, in its order, and the page behind the first. */
export function lists(call: string, parent: unknown, filter: string, orderBy: string): StoryStep[] {
  return [
    step(call, parent),
    step(call, { ...Object(parent), filter }),
    step(call, { ...Object(parent), orderBy }),
    step(call, { ...Object(parent), pageSize: 1 }),
    after(call, call, { ...Object(parent), pageSize: 1, pageToken: '{nextPageToken}' }),
  ]
}
