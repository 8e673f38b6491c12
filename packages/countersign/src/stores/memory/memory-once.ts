import { equalBytes, toBase64url } from '../../internal/bytes.ts'
import type { OnceStore, OnceValue } from '../contract.ts'
import { checkClaim, checkPlace, checkValue } from '../steps/once.ts'

/**
 * What may happen once, in the memory of one process.
 *
 * @param open - Throws when the store has been closed.
 */
export function memoryOnce(open: () => void): {
  readonly once: OnceStore
  /** Drops up to `limit` things that are over at `nowMs`, and returns how many. */
  readonly sweep: (nowMs: number, limit: number) => number
  readonly clear: () => void
} {
  const places = new Map<string, OnceValue & { readonly untilMs: number }>()
  const claims = new Map<string, { readonly untilMs: number }>()
  const find = (place: Uint8Array, hash: Uint8Array, nowMs: number) => {
    const kept = places.get(toBase64url(checkPlace(place)))
    return kept && kept.untilMs > nowMs && equalBytes(kept.hash, hash) ? kept : undefined
  }
  const once: OnceStore = {
    async put(place, value, untilMs) {
      open()
      const { hash, bytes } = checkValue(value)
      places.set(toBase64url(checkPlace(place)), { hash: hash.slice(), bytes: bytes.slice(), untilMs })
    },
    async look(place, hash, nowMs) {
      open()
      return find(place, hash, nowMs)?.bytes.slice() ?? null
    },
    async take(place, hash, nowMs) {
      open()
      const kept = find(place, hash, nowMs)
      if (!kept) return null
      places.delete(toBase64url(place))
      return kept.bytes
    },
    async claim(scope, id, untilMs, nowMs) {
      open()
      const key = JSON.stringify(checkClaim(scope, id))
      const held = claims.get(key)
      if (held && held.untilMs > nowMs) return false
      claims.set(key, { untilMs })
      return true
    },
  }
  return {
    once,
    sweep(nowMs, limit) {
      let gone = 0
      for (const kept of [places, claims]) {
        for (const [key, { untilMs }] of kept) {
          if (gone === limit) return gone
          if (untilMs <= nowMs && kept.delete(key)) gone++
        }
      }
      return gone
    },
    clear() {
      places.clear()
      claims.clear()
    },
  }
}
