import type { Subject, SubjectRef } from '../session/ids.ts'
import type { Context, Ended } from '../session/types.ts'
import type { EndReason } from '../session/reasons.ts'

/** What `authenticate` proves, ready to be handed to `sessions.issue`. */
export interface Authenticated {
  readonly ok: true
  readonly subject: string
  readonly tenant?: string
  readonly roles: readonly string[]
  /** Read before the password was hashed: pass it as `ifEpoch`, so that this login cannot overtake a ban. */
  readonly epoch: number
  readonly acr: 'aal1'
  readonly amr: readonly ['pwd']
  readonly authTimeMs: number
}

/**
 * Why an account call was refused. `bad_credentials` is all that anybody learns who does not know the password;
 * `blocked` is told only after the right one.
 */
export type AccountRefusalReason =
  | 'bad_credentials'
  | 'blocked'
  | 'identifier_taken'
  | 'identifier_invalid'
  | 'password_too_short'
  | 'password_too_long'
  | 'password_refused'
  | 'unknown_account'

export type AccountRefused = { readonly ok: false; readonly reason: AccountRefusalReason }

/** What may be shown of an account. Never the hash. */
export interface AccountView {
  readonly subject: string
  readonly tenant?: string
  readonly identifier: string
  readonly roles: readonly string[]
  readonly blocked: string | null
  readonly createdAtMs: number
  readonly passwordChangedAtMs: number
}

/** The part of `Sessions` that accounts need: the gate lives beside the sessions, wherever the accounts are. */
export interface AccountSessions {
  epoch(subject: Subject): Promise<number>
  setRoles(subject: Subject, roles: readonly any[], options?: { context?: Context }): Promise<Ended>
  revokeAll(
    subject: Subject,
    options: { reason: EndReason; except?: any; block?: boolean; context?: Context },
  ): Promise<Ended>
}

/** An account found by what somebody typed, for callers that administer. */
export type Located = SubjectRef
