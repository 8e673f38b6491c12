// How the suites compare. They throw the `AssertionError` of `node:assert`, which every runner shows with a diff.
import { deepStrictEqual, fail } from 'node:assert/strict'
import { systemRuntime } from '../internal/runtime.ts'

/**
 * Fails unless both say the same. A member that is `undefined` counts as absent, a `Buffer` as the bytes it is, and
 * classes do not count: a store may answer with whatever objects it likes.
 */
export function equals(actual: unknown, expected: unknown): void {
  deepStrictEqual(plain(actual), plain(expected))
}

/** The same for what `expected` names; other members of objects do not matter. Lists must have the same length. */
export function matches(actual: unknown, expected: unknown): void {
  const wanted = plain(expected)
  deepStrictEqual(shapedLike(plain(actual), wanted), wanted)
}

/** Waits for what comes about by itself, for 10 s at most. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const { clock, timers } = systemRuntime
  for (const untilMs = clock.monotonicMs() + 10_000; !(await holds()); ) {
    if (clock.monotonicMs() > untilMs) fail('did not come about within 10 s')
    await new Promise<void>((resolve) => timers.setTimeout(resolve, 10))
  }
}

function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex') }
  }
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [plain(key), plain(one)]))
  if (value instanceof Set) return new Set([...value].map(plain))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(members.map(([name, one]) => [name, plain(one)]))
}

function shapedLike(actual: unknown, wanted: unknown): unknown {
  if (Array.isArray(actual) && Array.isArray(wanted)) return actual.map((one, i) => shapedLike(one, wanted[i]))
  if (!isObject(actual) || !isObject(wanted)) return actual
  const named = Object.keys(wanted).filter((name) => Object.hasOwn(actual, name))
  return Object.fromEntries(named.map((name) => [name, shapedLike(actual[name], wanted[name])]))
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
