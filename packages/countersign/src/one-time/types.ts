import type { Emitter } from '../events/emitter.ts'
import type { Duration } from '../internal/duration.ts'
import type { Subject } from '../session/ids.ts'
import type { Context } from '../session/types.ts'
import type { OneTimePurpose } from './purposes.ts'

declare const brand: unique symbol
/** A secret: whoever holds it may do what it is for, once. Never log it, never put it into a path or a query. */
export type OneTimeToken = string & { readonly [brand]: 'OneTimeToken' }

/** What `issue` needs. */
export interface IssueOneTime {
  purpose: OneTimePurpose
  /** Whom it is for. A token of the same purpose that the subject has already is void from now on, except of `socket_ticket`. */
  subject: Subject
  /**
   * What has to be the same when the token is used, as text of 1 to 4 096 characters: a password hash, an address, a
   * session id. Once it differs, the token is void. A salted hash of it is kept.
   */
  boundTo: string
  /** Default 20 m for `password_reset` (at most 1 h), 24 h for `email_verification` (24 h) and `invite` (7 d), 30 s for `socket_ticket` (30 s). */
  lifetime?: Duration
  /** Kept in the store and given back by `look` and `redeem`: at most 4 096 characters. No secrets. */
  data?: string
  context?: Context
}

/** The answer of `issue`. The token is not in it: `tokenFor(id)` makes it where it is sent. */
export interface OneTimeIssued {
  /** 24 characters. No secret: useless without the keyring. */
  readonly id: string
  /** Milliseconds of store time since the epoch. */
  readonly expiresAtMs: number
}

/**
 * Why a token was refused. `unknown`: used, replaced by a newer one, over, or never there; the store cannot tell them
 * apart any more. `state_changed`: what it was bound to is different now.
 */
export type OneTimeRefusalReason = 'malformed' | 'bad_signature' | 'wrong_purpose' | 'unknown' | 'state_changed'

/** A refusal: the question was answered, and the answer is no. */
export interface OneTimeRefused {
  readonly ok: false
  readonly reason: OneTimeRefusalReason
}

/** A good token, not used yet. */
export interface OneTimeSeen {
  readonly ok: true
  readonly id: string
  readonly subject: string
  readonly tenant?: string
  readonly data?: string
  readonly expiresAtMs: number
  /** Whether `redeem` would find this state unchanged. */
  isBoundTo(state: string): boolean
}

/** A token that was good, and is used up now. */
export type OneTimeRedeemed = Omit<OneTimeSeen, 'isBoundTo'>

/** Everything about one-time tokens that is worth an audit line. The comment names the event of the OWASP vocabulary. */
export type OneTimeEvent = {
  /** ISO 8601, UTC, store time. */
  readonly at: string
  readonly subject?: string
  readonly tenant?: string
  readonly context?: Context
} & (
  | {
      /** To be delivered: whoever sends it calls `tokenFor(id)` and knows the address of the subject. */
      readonly type: 'one_time_requested'
      readonly id: string
      readonly purpose: OneTimePurpose
      readonly expiresAtMs: number
    } // authn_token_created
  | { readonly type: 'one_time_redeemed'; readonly id: string; readonly purpose: OneTimePurpose } // authn_token_delete
  | {
      /** `id` once the MAC was found right. */
      readonly type: 'one_time_refused'
      readonly purpose: OneTimePurpose
      readonly reason: OneTimeRefusalReason
      readonly id?: string
    } // authn_token_reuse
)

export type OneTimeEventType = OneTimeEvent['type']

/** Tokens that are good for one thing, once. */
export interface OneTime {
  /**
   * Makes a token to be delivered: the store gets a hash of its secret, and the event `one_time_requested` its id. The
   * secret is in no store, stream or log; `tokenFor` derives it when it is sent. One round trip.
   *
   * @throws CountersignError `ERR_INPUT_INVALID` for a wrong argument, also a `lifetime` over the cap of the purpose.
   */
  issue(input: IssueOneTime): Promise<OneTimeIssued>
  /**
   * The work of `issue` for a subject that does not exist, so that nobody can tell by it who does (ASVS 6.3.8). Nothing
   * that it keeps can be redeemed, and there is no event. One round trip.
   */
  pretend(purpose: OneTimePurpose): Promise<void>
  /**
   * The token of a request, the same each time. Asks no store, so it also makes tokens that are over or used.
   *
   * @param id - From `issue` or its event.
   * @throws CountersignError `ERR_INPUT_INVALID` when it is no such id; `ERR_KEY_NOT_FOUND` when its keys are gone.
   */
  tokenFor(id: string): OneTimeToken
  /** What a request is for. Throws `ERR_INPUT_INVALID` as `tokenFor` does. */
  purposeOf(id: string): OneTimePurpose
  /** Whether a token is good, and whose it is, without using it: for showing a form. At most one round trip. */
  look(token: string, options: { purpose: OneTimePurpose }): Promise<OneTimeSeen | OneTimeRefused>
  /**
   * Uses a token up. Of any number of calls at once exactly one succeeds, on any node. A token that is refused with
   * `state_changed` is used up too. At most one round trip.
   *
   * @param options.boundTo - The state as it is now.
   */
  redeem(
    token: string,
    options: { purpose: OneTimePurpose; boundTo: string; context?: Context },
  ): Promise<OneTimeRedeemed | OneTimeRefused>
  /** What a token is and whether it would be accepted, without using it. At most one round trip. */
  explain(token: string): Promise<OneTimeExplanation>
  readonly events: Emitter<OneTimeEvent>
}

/** The answer of `explain`. */
export interface OneTimeExplanation {
  readonly accepted: boolean
  readonly reason?: OneTimeRefusalReason
  /** Once the MAC was found right. */
  readonly purpose?: OneTimePurpose
  readonly id?: string
  readonly subject?: string
  readonly tenant?: string
  readonly expiresAtMs?: number
}
