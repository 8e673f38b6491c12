/** Why a token was refused. A specific reason is given only once the MAC or signature has been found right. */
export type RefusalReason =
  | 'missing'
  | 'malformed'
  | 'bad_signature'
  | 'claim_mismatch'
  | 'not_yet_valid'
  | 'expired'
  | 'expired_idle'
  | 'expired_absolute'
  | 'ended'
  | 'superseded'
  | 'reused'
  | 'rolled_back'
  | 'unknown'
  | 'limit'
  | 'blocked'
  | 'stale_epoch'
  | 'insufficient_authentication'
  | 'forbidden'
  | 'duplicate_cookie'

/** Why a session was ended. Any string of 1 to 64 characters is allowed besides those that Countersign writes itself. */
export type EndReason =
  | 'logout'
  | 'password_changed'
  | 'banned'
  | 'limit'
  | 'reused'
  | 'rolled_back'
  | 'replaced'
  | 'admin'
  | (string & {})

/**
 * What helps: log in again, exchange the refresh token, prove more, or nothing (the request itself is at fault).
 */
export type Remedy = 'sign_in' | 'refresh' | 'step_up' | 'none'

/** A refusal: the question was answered, and the answer is no. */
export type Refused = {
  readonly ok: false
  readonly reason: RefusalReason
  /** Only with the reasons `ended`, `reused` and `rolled_back`: what ended the session. */
  readonly endedBy?: EndReason
  readonly remedy: Remedy
}

const REMEDY: Readonly<Record<RefusalReason, Remedy>> = {
  missing: 'sign_in',
  malformed: 'sign_in',
  bad_signature: 'sign_in',
  claim_mismatch: 'none',
  not_yet_valid: 'none',
  expired: 'refresh',
  expired_idle: 'sign_in',
  expired_absolute: 'sign_in',
  ended: 'sign_in',
  superseded: 'refresh',
  reused: 'sign_in',
  rolled_back: 'sign_in',
  unknown: 'sign_in',
  limit: 'none',
  blocked: 'none',
  stale_epoch: 'sign_in',
  insufficient_authentication: 'step_up',
  forbidden: 'none',
  duplicate_cookie: 'sign_in',
}

/** The refusal for a reason. An id that was replaced by a step-up is followed by a refresh, not by a new login. */
export function refuse(reason: RefusalReason, endedBy?: EndReason): Refused {
  const remedy = endedBy === 'replaced' ? 'refresh' : REMEDY[reason]
  return Object.freeze(endedBy === undefined ? { ok: false, reason, remedy } : { ok: false, reason, endedBy, remedy })
}
