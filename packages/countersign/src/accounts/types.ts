import type { SessionId, Subject } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'
import type { Context, Ended, WhenAway } from '../session/types.ts'

/** What a password proves. As it is, it is the second argument of `sessions.stepUp`. */
export interface PasswordProof {
  readonly acr: 'aal1'
  readonly amr: readonly ['pwd']
}

/**
 * What `authenticate` proves. Hand it on at once, with the epoch:
 * `const { ok, epoch, ...who } = authenticated` and `sessions.issue({ ...who, ifEpoch: epoch, data })`.
 */
export interface Authenticated<R extends string = string> extends PasswordProof {
  readonly ok: true
  readonly subject: string
  readonly tenant?: string
  /** The account's roles, without those that the option `roles` no longer names. */
  readonly roles: readonly R[]
  /** Read before the account and before the hash: pass it as `ifEpoch`, so that this login cannot overtake a ban. */
  readonly epoch: number
  /** When the password was found right, in milliseconds of store time since the epoch. */
  readonly authTimeMs: number
}

/** What `confirm` proves: that whoever holds the session also knows the password. */
export interface Confirmed extends PasswordProof {
  readonly ok: true
  readonly subject: string
  readonly tenant?: string
}

/** The answer of `register`. */
export interface Registered<R extends string = string> {
  readonly ok: true
  readonly account: AccountView<R>
}

/** What `sessions.stepUp` answers, as far as a password change needs it. */
export type Renewed =
  | { readonly ok: true; readonly session: { readonly sessionId: SessionId } }
  | { readonly ok: false; readonly reason: string }

/** The answer of `changePassword`. */
export interface PasswordChanged<R extends string = string, N extends Renewed = Renewed> extends PasswordProof {
  readonly ok: true
  readonly account: AccountView<R>
  readonly ended: Ended
  /**
   * What `renew` answered. Refused, when somebody had replaced or ended the session meanwhile: then every session was
   * ended, and the caller, who has just proved the password, may be given a new one with `ended.epoch` as `ifEpoch`.
   */
  readonly renewed?: N
}

/** The answer of `ban`, `unban` and `setRoles`. */
export interface AccountChanged<R extends string = string> {
  readonly ok: true
  readonly account: AccountView<R>
  /** What it did to the sessions; `undefined` when there was nothing to do. */
  readonly ended: Ended | undefined
}

/**
 * Why an account call was refused. `bad_credentials` is all that anybody learns who does not know the password;
 * `blocked` is told only after the right one. `identifier_taken` says that an account exists: who must not tell
 * (ASVS 6.3.8) answers every registration alike and sends a mail instead.
 */
export type AccountRefusalReason =
  | 'bad_credentials'
  | 'blocked'
  | 'identifier_taken'
  | 'identifier_invalid'
  | PasswordProblem
  | 'unknown_account'
  /** The token of a link is wrong, used, over, replaced by a newer one, or the account has changed since. */
  | 'link_invalid'
  /** Nothing can be sent to this identifier: it is no e-mail address. */
  | 'not_an_address'

/** What is wrong with a new password. `password_refused`: easy to guess, or refused by the option `refuse`. */
export type PasswordProblem = 'password_too_short' | 'password_too_long' | 'password_refused'

/** A refusal: the question was answered, and the answer is no. Nothing was changed. */
export interface AccountRefused<Reason extends AccountRefusalReason = AccountRefusalReason> {
  readonly ok: false
  readonly reason: Reason
}

/** What may be shown of an account. Never the hash. Frozen. */
export interface AccountView<R extends string = string> {
  readonly subject: string
  readonly tenant?: string
  /** In its normal form, which may differ from what was typed. */
  readonly identifier: string
  readonly roles: readonly R[]
  /** Why the account may not log in; `null` when it may. */
  readonly blocked: string | null
  readonly createdAtMs: number
  readonly passwordChangedAtMs: number
  /** When somebody showed that mail to the identifier reaches them; `null` when nobody has. */
  readonly emailVerifiedAtMs: number | null
}

/** The part of `Sessions` that accounts need: the gate lives beside the sessions, wherever the accounts are. */
export interface AccountSessions {
  epoch(subject: Subject): Promise<number>
  setRoles(subject: Subject, roles: readonly string[], options?: { context?: Context } & WhenAway): Promise<Ended>
  revokeAll(
    subject: Subject,
    options: { reason: EndReason; except?: SessionId; block?: boolean; context?: Context } & WhenAway,
  ): Promise<Ended>
}

/** What `register` needs. */
export interface Register<R extends string = string> {
  /**
   * What the person will log in with: an e-mail address or a name. Taken in its normal form on every path: Unicode
   * NFKC, lower case, without white space around it, so that `Alice@Example.org ` and `alice@example.org` are one. Then
   * 1 to 254 characters, none of them a control, format or unassigned one. `identifier_invalid` otherwise.
   */
  identifier: string
  /** Exactly as it was received: never trimmed, folded or normalised, here or later (ASVS 6.2.8). */
  password: string
  /** Default none. */
  roles?: readonly R[]
  tenant?: string
  context?: Context
  /** Leaves the queue for a hash. A hash that has begun is finished. */
  signal?: AbortSignal
}

/** What `authenticate` needs. */
export interface Authenticate {
  identifier: string
  password: string
  tenant?: string
  context?: Context
  /** Leaves the queue for a hash. A hash that has begun is finished. */
  signal?: AbortSignal
}

/** What `confirm` needs. */
export interface Confirm {
  subject: string
  tenant?: string
  password: string
  context?: Context
  signal?: AbortSignal
}

/** What `changePassword` needs. */
export interface ChangePassword<N extends Renewed = Renewed> {
  subject: string
  tenant?: string
  current: string
  next: string
  /**
   * Renews the caller's own session, the only one that survives: `() => sessions.stepUp(id, { acr, amr })`. Called once
   * the new password is in force and before the other sessions end. Absent: every session ends.
   */
  renew?: () => Promise<N>
  context?: Context
  signal?: AbortSignal
}

/** What `requestPasswordReset` needs. */
export interface RequestPasswordReset {
  /** As somebody typed it. */
  identifier: string
  tenant?: string
  context?: Context
}

/** What `resetPassword` needs. */
export interface ResetPassword {
  /** Of the link. Never from a path or a query (ASVS 14.2.1). */
  token: string
  next: string
  context?: Context
  /** Leaves the queue for a hash. A hash that has begun is finished. */
  signal?: AbortSignal
}

/** The answer of `resetPassword`. It opens no session: whoever reads the mail has proved no more than that (FP-5). */
export interface PasswordReset<R extends string = string> {
  readonly ok: true
  readonly account: AccountView<R>
  readonly ended: Ended
}

/** What `requestEmailVerification` needs. */
export interface RequestEmailVerification {
  subject: string
  tenant?: string
  context?: Context
}

/** The answer of `requestEmailVerification` and `verifyEmail`. */
export interface EmailVerification<R extends string = string> {
  readonly ok: true
  readonly account: AccountView<R>
}
