import { type Duration, durationMs } from '../internal/duration.ts'
import { invalidOption } from '../internal/errors.ts'
import type { Bounds } from './known-tokens.ts'

export interface NearCacheOptions {
  /**
   * How old the last answer of the store may be that proves a copy current: the bound of a revocation. 300 ms to 1 s.
   * Default `'1s'`.
   */
  readonly maxStale?: Duration
  /** Most tokens kept, 0 to 10 000 000. Default 100 000. */
  readonly maxEntries?: number
  /** Most heap that they take, as an estimate, in bytes. Default 134 217 728 (128 MiB). */
  readonly maxBytes?: number
}

export interface ResolvedNearCache extends Bounds {
  /** False: every check asks the store. What a signature proved is remembered all the same, within the bounds. */
  readonly isWanted: boolean
  readonly maxStaleMs: number
}

const KNOWN = new Set(['maxStale', 'maxEntries', 'maxBytes'])
const DEFAULTS: ResolvedNearCache = {
  isWanted: true,
  maxStaleMs: 1_000,
  maxEntries: 100_000,
  maxBytes: 128 * 2 ** 20,
}

/** @throws CountersignError `ERR_CONFIG_INVALID` naming the option. */
export function resolveNearCache(options: false | NearCacheOptions | undefined): ResolvedNearCache {
  if (options === undefined) return DEFAULTS
  if (options === false) return { ...DEFAULTS, isWanted: false }
  if (typeof options !== 'object' || options === null) throw invalidOption('nearCache', 'must be false or an object')
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) throw invalidOption(`nearCache.${name}`, 'is not an option')
  }
  const { maxStale, maxEntries = DEFAULTS.maxEntries, maxBytes = DEFAULTS.maxBytes } = options
  return {
    isWanted: true,
    // Fences are 200 ms apart: below this a copy would seldom be usable. Above a second promise 2 would not hold.
    maxStaleMs: maxStale === undefined ? DEFAULTS.maxStaleMs : durationMs(maxStale, 'nearCache.maxStale', 300, 1_000),
    maxEntries: whole(maxEntries, 'maxEntries', 10_000_000),
    maxBytes: whole(maxBytes, 'maxBytes', Number.MAX_SAFE_INTEGER),
  }
}

function whole(value: number, name: string, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value
  throw invalidOption(`nearCache.${name}`, `must be a whole number from 0 to ${most}`)
}
