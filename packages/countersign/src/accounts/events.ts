import type { Emitter } from '../events/emitter.ts'
import type { Context } from '../session/types.ts'
import type { AccountRefusalReason } from './types.ts'

/** Who an event is about. No event holds a password, a hash of one, or an identifier in clear. */
interface About {
  /** ISO 8601, UTC, store time. */
  readonly at: string
  /** Absent when there is no such account. */
  readonly subject?: string
  readonly tenant?: string
  /**
   * Stands for the identifier, which is personal data: the same identifier in the same tenant gives the same value
   * until the keyring's MAC key changes, and nobody without the keyring can test a guess. 16 characters.
   */
  readonly identifierHash?: string
  /** Who asked, as far as the caller said. */
  readonly context?: Context
}

/**
 * Everything about accounts that is worth an audit line. The comment names the event of the OWASP logging vocabulary.
 */
export type AccountEvent = About &
  (
    | { readonly type: 'registered'; readonly roles: readonly string[] } // user_created
    | {
        /** `again`: of somebody who has a session, by `confirm`. */
        readonly type: 'authenticated'
        readonly factors: readonly ['pwd']
        readonly again: boolean
      } // authn_login_success
    | { readonly type: 'authentication_failed'; readonly reason: AuthenticationFailure; readonly again: boolean } // authn_login_fail
    | { readonly type: 'password_changed'; readonly ended: number } // authn_password_change
    | { readonly type: 'password_change_failed'; readonly reason: AccountRefusalReason } // authn_password_change_fail
    | {
        /** Also when there is no such account: then `subject` is absent, and nothing is sent. */
        readonly type: 'password_reset_requested'
      } // authn_token_created
    | {
        /** Tell the owner, by the address that they had before. No session was opened, and all were ended. */
        readonly type: 'password_reset'
        readonly ended: number
      } // authn_password_change
    | { readonly type: 'password_reset_failed'; readonly reason: AccountRefusalReason } // authn_password_change_fail
    | { readonly type: 'email_verified' } // user_updated
    | { readonly type: 'banned'; readonly reason: string; readonly ended: number } // authn_login_lock
    | { readonly type: 'unbanned' } // authz_admin
    | { readonly type: 'roles_changed'; readonly roles: readonly string[]; readonly before: readonly string[] } // authz_change
    | { readonly type: 'hash_upgraded' } // user_updated
    | {
        /** The login went on; the next one tries again. */
        readonly type: 'hash_upgrade_failed'
        readonly code: string
      } // sys_monitor
    | {
        /** A change whose process had died before it reached the sessions was finished now. */
        readonly type: 'change_finished'
        readonly change: 'password_changed' | 'banned' | 'roles'
      } // sys_monitor
  )

/**
 * Why nobody was let in. For the audit: the caller is told `bad_credentials`, or `blocked` after the right password.
 * `password_invalid`: longer than allowed, or no text.
 */
export type AuthenticationFailure =
  | 'unknown_account'
  | 'identifier_invalid'
  | 'wrong_password'
  | 'password_invalid'
  | 'blocked'

export type AccountEventType = AccountEvent['type']

/** Where account events can be heard; as `sessions.events`. */
export type AccountEvents = Emitter<AccountEvent>
