import type { GuardBinding } from './guard-types.ts'

/** A connection belongs to at most one context at a time; the guard reads it here and nowhere else. */
const bindings = new WeakMap<object, GuardBinding>()

/**
 * Binds a connection until the result is disposed. Throws if it is bound already: two scopes sharing one connection
 * would run the statements of one tenant under the context of the other.
 */
export function bindConnection(connection: object, binding: GuardBinding): Disposable {
  if (bindings.has(connection)) throw new Error('connection is already bound to a context')
  const bound = Object.freeze({ ...binding })
  bindings.set(connection, bound)
  return {
    [Symbol.dispose]() {
      // A second dispose must not release a later scope's binding.
      if (bindings.get(connection) === bound) bindings.delete(connection)
    },
  }
}

export function bindingOf(connection: object): GuardBinding | undefined {
  return bindings.get(connection)
}
