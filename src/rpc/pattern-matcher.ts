/**
 * Matches the patterns of field rules with the platform's engine. They are ours, written in the protos and few, and each
 * is anchored and reads its text once; protovalidate's own engine, made for patterns of strangers, costs more than the
 * rest of a call.
 */
export function createPatternMatcher(): (pattern: string, text: string) => boolean {
  const compiled = new Map<string, RegExp>()
  return (pattern, text) => {
    let expression = compiled.get(pattern)
    if (expression === undefined) {
      expression = new RegExp(pattern, 'u')
      compiled.set(pattern, expression)
    }
    return expression.test(text)
  }
}
