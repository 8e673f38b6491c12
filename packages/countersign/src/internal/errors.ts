/** Every code that a {@link CountersignError} can carry. A code never changes its meaning; `docs/errors.md` lists them. */
export type ErrorCode =
  | 'ERR_CONFIG_INVALID'
  | 'ERR_CONFIG_UNSAFE'
  | 'ERR_INPUT_INVALID'
  | 'ERR_DATA_INVALID'
  | 'ERR_DATA_TOO_LARGE'
  | 'ERR_KEY_NOT_FOUND'
  | 'ERR_KEY_UNUSABLE'
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_STORE_TIMEOUT'
  | 'ERR_STORE_CONFLICT'
  | 'ERR_STORE_CORRUPT'
  | 'ERR_STORE_MISCONFIGURED'
  | 'ERR_FORMAT_UNKNOWN'
  | 'ERR_BUSY'
  | 'ERR_CLOSED'
  | 'ERR_COOKIE_TOO_LARGE'

export interface ErrorDetails {
  readonly cause?: unknown
  /** Which store, where the fault came from one: `memory`, `sqlite`, `redis`, … */
  readonly store?: string
  /** True when nothing was executed, so that the same call may be made again. Absent when that is not known. */
  readonly retryable?: boolean
  /**
   * With `ERR_STORE_UNAVAILABLE` and `ERR_STORE_TIMEOUT`: true when the store is there and has said, or shown, that it does
   * not take this call now. Absent when it said nothing.
   */
  readonly answered?: boolean
  /** When it is worth asking again, in milliseconds from now. Absent when nobody knows. */
  readonly retryAfterMs?: number
}

/**
 * A fault: the question could not be answered. Refusals are never thrown, they are values with a `reason`.
 *
 * The message names the option, field or store and never holds a token, cookie, secret or key.
 */
export class CountersignError extends Error {
  override readonly name = 'CountersignError'
  readonly code: ErrorCode
  readonly store?: string
  readonly retryable?: boolean
  readonly answered?: boolean
  readonly retryAfterMs?: number

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    if (details.store !== undefined) this.store = details.store
    if (details.retryable !== undefined) this.retryable = details.retryable
    if (details.answered !== undefined) this.answered = details.answered
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs
  }
}

/** An option has a wrong value. Thrown while constructing, and the message names the option in quotes. */
export function invalidOption(option: string, problem: string): CountersignError {
  return new CountersignError('ERR_CONFIG_INVALID', `"${option}" ${problem}`)
}

/** An argument of a call has a wrong value. The message names it in quotes and never repeats the value. */
export function invalidInput(name: string, problem: string): CountersignError {
  return new CountersignError('ERR_INPUT_INVALID', `"${name}" ${problem}`)
}
