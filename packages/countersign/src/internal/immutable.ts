/** `T` with every property read-only, all the way down. */
export type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T

/** Freezes a plain value and everything in it. Only for values made by `JSON.parse`, so there are no cycles. */
export function deepFreeze<T>(value: T): Immutable<T> {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const member of Object.values(value)) deepFreeze(member)
    Object.freeze(value)
  }
  return value as Immutable<T>
}
