import { CountersignError, invalidInput } from '../internal/errors.ts'
import type { Refused, Remedy } from '../session/reasons.ts'
import { FAULT_ANSWERS, REFUSAL_ANSWERS, TITLES } from './answers.ts'
import type { HttpRefused } from './refusals.ts'

/** Content type of every {@link Problem} (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** The body of every answer that is not a success. */
export interface Problem {
  /** `urn:countersign:problem:<code>`: a name, not an address. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** Stable; `docs/http-api.md` lists all. */
  readonly code: string
  /** Only where the request itself is at fault: which part of it, or which limit. Never a value that was sent. */
  readonly detail?: string
  readonly reason?: string
  readonly endedBy?: string
  readonly remedy?: Remedy
}

/** An answer ready to be sent. */
export interface ProblemAnswer {
  readonly status: number
  /** Content type, `Cache-Control: no-store`, and where they apply `WWW-Authenticate` and `Retry-After`. Never `Set-Cookie`. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Problem
}

/** What a challenge says besides the error. */
export interface Challenge {
  /** Default `countersign`. */
  readonly realm?: string
  /** Levels that would do, for `insufficient_authentication` (RFC 9470). */
  readonly acrValues?: readonly string[]
  /** Longest time since the login, in whole seconds, for `insufficient_authentication`. */
  readonly maxAgeSeconds?: number
  /** Roles of which one would do, for `forbidden`. */
  readonly scope?: readonly string[]
}

/**
 * The answer to a refusal. `WWW-Authenticate` says `invalid_token` for every refused token; the body adds the reason,
 * but only once the MAC or signature has been found right.
 *
 * @throws CountersignError `ERR_INPUT_INVALID` when a value of the challenge holds a character that does not belong there.
 */
export function problemOf(refused: HttpRefused, challenge: Challenge = {}): ProblemAnswer {
  const { status, code, challenge: error, hideReason } = REFUSAL_ANSWERS[refused.reason]
  const { reason, remedy, endedBy } = refused as Refused
  const why = hideReason ? {} : { reason, ...(endedBy !== undefined && { endedBy }), remedy }
  const asks = error === undefined ? undefined : { 'www-authenticate': bearerChallenge(error, challenge) }
  return problem(status, code, why, asks)
}

/**
 * The answer to something thrown: a {@link CountersignError} by its code, everything else 500. Holds neither message,
 * stack nor cause, except for `ERR_INPUT_INVALID`, `ERR_DATA_INVALID` and `ERR_DATA_TOO_LARGE`, whose messages name
 * what the caller did wrong and never repeat a value.
 */
export function problemOfFault(error: unknown): ProblemAnswer {
  if (!(error instanceof CountersignError)) return problem(500, 'internal_error')
  const { status, code, retryAfterSeconds } = FAULT_ANSWERS[error.code]
  const isCallers = status === 400 || status === 413
  const { retryAfterMs } = error
  const seconds = retryAfterMs === undefined ? retryAfterSeconds : Math.max(1, Math.ceil(retryAfterMs / 1_000))
  const later = retryAfterSeconds === undefined ? undefined : { 'retry-after': String(seconds) }
  return problem(status, code, isCallers ? { detail: error.message } : {}, later)
}

/** Builds a problem of any code; for the codes of others, give the `title` too. */
export function problem(
  status: number,
  code: string,
  more: { title?: string; detail?: string; reason?: string; endedBy?: string; remedy?: Remedy } = {},
  headers: Readonly<Record<string, string>> = {},
): ProblemAnswer {
  const { title = TITLES[code] ?? code, ...members } = more
  return {
    status,
    headers: { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...headers },
    body: { type: `urn:countersign:problem:${code}`, title, status, code, ...members },
  }
}

/** `Bearer realm="…", error="…", …` (RFC 6750 section 3, RFC 9470 section 3). */
function bearerChallenge(error: string | null, challenge: Challenge): string {
  const parts = [quoted('realm', challenge.realm ?? 'countersign')]
  if (error !== null) parts.push(quoted('error', error))
  if (error === 'insufficient_user_authentication') {
    if (challenge.acrValues?.length) parts.push(quoted('acr_values', challenge.acrValues.join(' ')))
    if (challenge.maxAgeSeconds !== undefined) parts.push(quoted('max_age', String(challenge.maxAgeSeconds)))
  }
  if (error === 'insufficient_scope' && challenge.scope?.length) parts.push(quoted('scope', challenge.scope.join(' ')))
  return `Bearer ${parts.join(', ')}`
}

/** RFC 6750 section 3 leaves `"` and `\` out of these values, so there is nothing to escape and nothing to break out of. */
function quoted(name: string, value: string): string {
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(value))
    throw invalidInput(name, 'holds a character that a challenge cannot')
  return `${name}="${value}"`
}
