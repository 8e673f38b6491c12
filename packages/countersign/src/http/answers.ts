// Every reason and every code with its HTTP status: the only place where they meet. `docs/http-api.md` shows the same
// table, and a test compares the two.
import type { ErrorCode } from '../internal/errors.ts'
import type { RefusalReason } from '../session/reasons.ts'
import type { RequestReason } from './refusals.ts'

/** How a refusal is answered. */
export interface RefusalAnswer {
  readonly status: number
  /** `code` of the problem. */
  readonly code: string
  /** `error` of the `WWW-Authenticate` challenge; `null` = a challenge without one; absent = no challenge. */
  readonly challenge?:
    | 'invalid_request'
    | 'invalid_token'
    | 'insufficient_scope'
    | 'insufficient_user_authentication'
    | null
  /** The body does not say which reason it was. */
  readonly hideReason?: true
}

const INVALID_TOKEN = { status: 401, code: 'invalid_token', challenge: 'invalid_token' } as const
const INVALID_REQUEST = { status: 400, code: 'invalid_request', challenge: 'invalid_request' } as const
const CROSS_ORIGIN = { status: 403, code: 'cross_origin' } as const

export const REFUSAL_ANSWERS: Readonly<Record<RefusalReason | RequestReason, RefusalAnswer>> = {
  // RFC 6750 section 3.1: without any credential the challenge has no error.
  missing: { status: 401, code: 'unauthenticated', challenge: null },
  // Before the MAC or signature was found right, nobody learns more than that.
  malformed: { ...INVALID_TOKEN, hideReason: true },
  bad_signature: { ...INVALID_TOKEN, hideReason: true },
  claim_mismatch: INVALID_TOKEN,
  not_yet_valid: INVALID_TOKEN,
  expired: INVALID_TOKEN,
  expired_idle: INVALID_TOKEN,
  expired_absolute: INVALID_TOKEN,
  ended: INVALID_TOKEN,
  superseded: INVALID_TOKEN,
  reused: INVALID_TOKEN,
  rolled_back: INVALID_TOKEN,
  unknown: INVALID_TOKEN,
  limit: { status: 409, code: 'session_limit' },
  blocked: { status: 403, code: 'blocked' },
  stale_epoch: { status: 409, code: 'login_overtaken' },
  // RFC 9470 section 3.
  insufficient_authentication: {
    status: 401,
    code: 'insufficient_user_authentication',
    challenge: 'insufficient_user_authentication',
  },
  forbidden: { status: 403, code: 'insufficient_scope', challenge: 'insufficient_scope' },
  duplicate_cookie: INVALID_REQUEST,

  credential_twice: INVALID_REQUEST,
  authorization_malformed: INVALID_REQUEST,
  origin_foreign: CROSS_ORIGIN,
  origin_unproven: CROSS_ORIGIN,
  form_token: CROSS_ORIGIN,
}

/** How a fault is answered. Never with 401: an outage is not a logout. */
export interface FaultAnswer {
  readonly status: number
  readonly code: string
  /** Seconds after which the same request is worth trying again. */
  readonly retryAfterSeconds?: number
}

const INTERNAL = { status: 500, code: 'internal_error' } as const
const UNAVAILABLE = { status: 503, code: 'unavailable', retryAfterSeconds: 2 } as const

export const FAULT_ANSWERS: Readonly<Record<ErrorCode, FaultAnswer>> = {
  ERR_INPUT_INVALID: { status: 400, code: 'invalid_request' },
  ERR_DATA_INVALID: { status: 400, code: 'data_invalid' },
  ERR_DATA_TOO_LARGE: { status: 413, code: 'data_too_large' },
  ERR_STORE_CONFLICT: { status: 409, code: 'conflict' },
  ERR_STORE_UNAVAILABLE: UNAVAILABLE,
  ERR_STORE_TIMEOUT: UNAVAILABLE,
  ERR_STORE_MISCONFIGURED: UNAVAILABLE,
  ERR_CLOSED: UNAVAILABLE,
  // While a fleet is upgraded, the next server may know it.
  ERR_FORMAT_UNKNOWN: UNAVAILABLE,
  ERR_BUSY: { status: 503, code: 'busy', retryAfterSeconds: 1 },
  ERR_STORE_CORRUPT: INTERNAL,
  ERR_CONFIG_INVALID: INTERNAL,
  ERR_CONFIG_UNSAFE: INTERNAL,
  ERR_KEY_NOT_FOUND: INTERNAL,
  ERR_KEY_UNUSABLE: INTERNAL,
  ERR_COOKIE_TOO_LARGE: INTERNAL,
}

/** What people read. One text per code, whatever happened. */
export const TITLES: Readonly<Record<string, string>> = {
  unauthenticated: 'Nobody is logged in',
  invalid_token: 'The token is not accepted',
  invalid_request: 'The request cannot be understood',
  insufficient_user_authentication: 'This needs a stronger or more recent login',
  insufficient_scope: 'This is not allowed with these roles',
  session_limit: 'Too many devices are logged in',
  blocked: 'This account is blocked',
  login_overtaken: 'Something about this account changed during the login',
  cross_origin: 'The request does not come from this site',
  data_invalid: 'The session data does not have the right form',
  data_too_large: 'The session data is too large',
  conflict: 'Somebody else was faster',
  not_supported: 'This is not supported here',
  unavailable: 'The service cannot answer at the moment',
  busy: 'The service is too busy at the moment',
  internal_error: 'Something went wrong',
}
