/** The form of a slug as the protos write it, and what it is called. */
const slug = '[a-z][a-z0-9-]{1,61}[a-z0-9]'
const roleId = '[a-z][a-zA-Z0-9.-]{1,61}[a-zA-Z0-9]'
const permission = '[a-z][a-zA-Z0-9]{0,62}\\.[a-z][a-zA-Z0-9]{0,62}'
const noControls = '^[^\\x00-\\x1f\\x7f]*$'
const slugInWords = '3 to 63 of a-z 0-9 -, a letter first, no trailing -'

/** protovalidate's own words for a pattern: people cannot be asked to read one. */
const ofPattern = /^does not match regex pattern `(.*)`$/s

const ofList = /^must be in list \[([\d, ]*)\]$/

/**
 * What a field must look like, in words where the rule is a pattern or a list of numbers; other rules say it themselves.
 * `nameOf`: for a field of an enum, the name of a value.
 */
export function ruleInWords(message: string, value: unknown, nameOf?: (number: number) => string): string {
  const list = ofList.exec(message)?.[1]
  if (list !== undefined && nameOf !== undefined) {
    return `must be ${list
      .split(/[, ]+/)
      .map((number) => nameOf(Number(number)))
      .join(' or ')}`
  }
  const pattern = ofPattern.exec(message)?.[1]
  if (pattern === undefined) return message
  if (pattern === noControls) return 'must have no control characters'
  if (pattern === `^${slug}$` || pattern === `^(${slug})?$`) return `must be ${slugInWords}`
  const form = nameForm(pattern)
  if (form === undefined) return 'has characters or a length that are not allowed there'
  return `${value === '' ? 'must be set, as' : 'must look like'} ${form}`
}

/** `^tenants/…(/workspaces/…)?$` as `tenants/{tenant}[/workspaces/{workspace}]`; undefined where it is no such form. */
function nameForm(pattern: string): string | undefined {
  const form = pattern
    .replace(/^\^/, '')
    .replace(/\$$/, '')
    .replaceAll(permission, '{noun.verb}')
    .replaceAll(roleId, '{role}')
    .replaceAll('[0-9a-f-]{36}', '{uuid}')
    .replaceAll(slug, '{id}')
    .replace(/\(((?:[^()]|\([^()]*\)\?)*)\)\?/g, '[$1]')
    .replace(/\(((?:[^()]|\([^()]*\)\?)*)\)\?/g, '[$1]')
    .replace(/\(([^()]*)\)\?/g, '[$1]')
  return /^[a-zA-Z/{}.[\]]+$/.test(form) ? form : undefined
}
