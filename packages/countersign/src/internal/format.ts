import { CountersignError } from './errors.ts'

/**
 * Everything that is stored begins with the number of its format: major + 16 × minor, so that the first one is 1. A reader
 * knows its major with every minor: what a newer minor has added it keeps and does not look into. `docs/design/0004` has
 * the rules for raising either.
 */
export type Format = number

const MINOR = 16

/** Whether a reader of `known` can read what was written as `found`. */
export function isKnownFormat(found: unknown, known: Format): found is Format {
  return Number.isInteger(found) && (found as number) % MINOR === known % MINOR && (found as number) > 0
}

/** As people read it: `1.0`, `1.1`, `2.0`. */
export function formatName(format: Format): string {
  return `${format % MINOR}.${Math.floor(format / MINOR)}`
}

/** A newer release, or one that is too old, wrote something that this one must not guess at. Never a refusal: others may know it. */
export function unknownFormat(what: string, found: Format, known: Format, store?: string): CountersignError {
  const message = `${what} has format ${formatName(found)}, which another release wrote; this one reads ${known % MINOR}.x`
  return new CountersignError('ERR_FORMAT_UNKNOWN', message, store === undefined ? {} : { store })
}
