import { createEmitter } from '../events/emitter.ts'
import type { OneTime } from '../one-time/types.ts'
import type { Subject } from '../session/ids.ts'
import type { Context } from '../session/types.ts'
import { keysOf } from '../tokens/keyring.ts'
import { ban, find, get, setRoles, unban } from './administer.ts'
import { authenticate, confirm } from './authenticate.ts'
import { changePassword } from './change-password.ts'
import type { AccountsCore } from './core.ts'
import type { AccountEvent, AccountEvents } from './events.ts'
import { type AccountsOptions, resolveOptions } from './options.ts'
import { createHasher } from './passwords/hasher.ts'
import { createPolicy } from './passwords/policy.ts'
import { requestEmailVerification, requestPasswordReset, resetPassword, verifyEmail } from './recover.ts'
import { register } from './register.ts'
import type {
  AccountChanged,
  AccountRefused,
  AccountView,
  Authenticate,
  Authenticated,
  ChangePassword,
  Confirm,
  Confirmed,
  EmailVerification,
  PasswordChanged,
  PasswordProblem,
  PasswordReset,
  Register,
  Registered,
  Renewed,
  RequestEmailVerification,
  RequestPasswordReset,
  ResetPassword,
} from './types.ts'

/**
 * Accounts with passwords. Every verb throws `ERR_STORE_…` when a store did not answer, `ERR_STORE_CORRUPT` when an
 * account cannot be read, `ERR_INPUT_INVALID` for an argument of the wrong form, and those that hash a password
 * `ERR_BUSY` before they hash anything when too many calls wait.
 *
 * A change is written to the account first and told to the sessions then. When the process dies in between, the
 * account is marked, and the next `authenticate`, `confirm`, `changePassword`, `ban`, `unban` or `setRoles` on it
 * finishes the change before it does anything else; that costs it two round trips more, and an unfinished password
 * change then spares no session.
 */
export interface Accounts<R extends string = string> {
  /**
   * Adds an account under a random subject of 24 characters. One hash and one store call, also when
   * the identifier is taken.
   *
   * @returns Refused with `identifier_invalid`, `identifier_taken`, `password_too_short`, `password_too_long` or
   * `password_refused`. Of two calls at once with one identifier, one is refused.
   */
  register(
    input: Register<R>,
  ): Promise<Registered<R> | AccountRefused<'identifier_taken' | 'identifier_invalid' | PasswordProblem>>
  /**
   * Checks an identifier and a password. The same calls, one hash of the same cost and the same answer whether or not
   * there is such an account. Counts no failures: throttle before it, by the events or your own counter.
   *
   * @remarks Three round trips: `subjectOf` (accounts), `epoch` (sessions), `bySubject` (accounts); with the caller's
   * `issue` a login makes four. One more, once, when the stored hash is replaced by a stronger one.
   * @returns Refused with `bad_credentials`, and with `blocked` after the right password only.
   * @throws The reason of `signal`, when it was aborted before the hash began.
   */
  authenticate(input: Authenticate): Promise<Authenticated<R> | AccountRefused<'bad_credentials' | 'blocked'>>
  /**
   * Checks the password of somebody who has a session, for `sessions.stepUp(id, confirmed)`. One round trip, one hash.
   *
   * @returns Refused with `bad_credentials`, and with `blocked` after the right password only.
   */
  confirm(input: Confirm): Promise<Confirmed | AccountRefused<'bad_credentials' | 'blocked'>>
  /**
   * Changes the password, renews the caller's own session with `renew`, and ends all others. The old id and secrets die
   * with the renewal, because they may be known to whoever made the change necessary (ASVS 7.2.4). Four round trips
   * and those of `renew`, two hashes. A concurrent change of the account is kept: a ban that lands in between stands.
   *
   * @returns Refused with `bad_credentials` (also when there is no such account; counts as a failed login), `blocked`,
   * `password_too_short`, `password_too_long` or `password_refused`.
   */
  changePassword<N extends Renewed = Renewed>(
    input: ChangePassword<N>,
  ): Promise<PasswordChanged<R, N> | AccountRefused<'bad_credentials' | 'blocked' | PasswordProblem>>
  /**
   * Refuses every login and ends every session; no login under way gets in. Takes effect although the sessions' store
   * is down: the account is written first, and the call throws. Repeat it then. Four round trips.
   *
   * @param options.reason - Kept with the account and shown in its view, 1 to 256 characters. Default `banned`.
   */
  ban(
    subject: Subject,
    options?: { reason?: string; context?: Context },
  ): Promise<AccountChanged<R> | AccountRefused<'unknown_account'>>
  /** Lets a banned account log in again. Does nothing to one that is not banned. Four round trips, else one. */
  unban(
    subject: Subject,
    options?: { context?: Context },
  ): Promise<AccountChanged<R> | AccountRefused<'unknown_account'>>
  /** Sets the roles of the account and of its live sessions, as `sessions.setRoles` says. Four round trips. */
  setRoles(
    subject: Subject,
    roles: readonly R[],
    options?: { context?: Context },
  ): Promise<AccountChanged<R> | AccountRefused<'unknown_account'>>
  /**
   * The account that an identifier belongs to; typed in any form that `register` would take for the same. Two round
   * trips.
   */
  find(identifier: string, options?: { tenant?: string }): Promise<AccountView<R> | null>
  /** The account of a subject. One round trip. */
  get(subject: Subject): Promise<AccountView<R> | null>
  readonly events: AccountEvents
  /**
   * Connects the store and loads `@node-rs/argon2`. Every verb does it when needed; call it at start to fail early.
   *
   * @throws CountersignError `ERR_CONFIG_INVALID` when the package is not installed.
   */
  ready(): Promise<void>
}

/** What accounts can do besides when they have one-time tokens. */
export interface Recovery<R extends string = string> {
  /**
   * Makes a link for whoever has this identifier, if anybody has; the event `one_time_requested` is its delivery. The
   * links that the account had are void. The same calls whether or not there is such an account, so answer all alike
   * and before this is done (ASVS 6.3.8). It can be asked for without limit: throttle before it.
   *
   * @remarks Three round trips: `subjectOf`, `bySubject` (accounts), `put` (once).
   */
  requestPasswordReset(input: RequestPasswordReset): Promise<void>
  /**
   * Sets a new password by the token of a link and ends every session of the account. Opens none. Works once; a password
   * that is refused does not use the token up. Six round trips, one hash.
   *
   * @returns Refused with `link_invalid`, `password_too_short`, `password_too_long` or `password_refused`.
   */
  resetPassword(input: ResetPassword): Promise<PasswordReset<R> | AccountRefused<'link_invalid' | PasswordProblem>>
  /**
   * Makes a link that shows that mail to the identifier reaches the owner of the account; delivered as the other. Does
   * nothing when that was shown before. Two round trips.
   *
   * @returns Refused with `unknown_account` or `not_an_address`.
   */
  requestEmailVerification(
    input: RequestEmailVerification,
  ): Promise<EmailVerification<R> | AccountRefused<'unknown_account' | 'not_an_address'>>
  /** Notes that the address was verified, by the token of a link. Five round trips. Refused with `link_invalid`. */
  verifyEmail(input: {
    token: string
    context?: Context
  }): Promise<EmailVerification<R> | AccountRefused<'link_invalid'>>
}

/**
 * Makes the accounts of one application, for those who have nobody else to authenticate their users. Opens nothing.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option; `ERR_CONFIG_UNSAFE` when hashes would be too cheap.
 */
export function createAccounts<const R extends string = string>(
  options: AccountsOptions<R> & { oneTime: OneTime },
): Accounts<R> & Recovery<R>
export function createAccounts<const R extends string = string>(options: AccountsOptions<R>): Accounts<R>
export function createAccounts<const R extends string = string>(options: AccountsOptions<R>): Accounts<R> {
  const { runtime, roles, hasher: hashing, policy } = resolveOptions(options)
  const { store, keyring, sessions, oneTime } = options
  const events = createEmitter<AccountEvent>()
  const core: AccountsCore = Object.freeze({
    accounts: store.accounts,
    sessions,
    keyring,
    hasher: createHasher(hashing, runtime.random),
    policy: createPolicy(policy),
    oneTime,
    roles,
    runtime,
    events,
    nowMs: () => store.lifecycle?.nowMs() ?? runtime.clock.nowMs(),
    ready: async () => store.lifecycle?.ready(keysOf(keyring).placementFingerprint),
  })
  const recovery: Recovery = {
    requestPasswordReset: (input) => requestPasswordReset(core, input),
    resetPassword: (input) => resetPassword(core, input),
    requestEmailVerification: (input) => requestEmailVerification(core, input),
    verifyEmail: (input) => verifyEmail(core, input),
  }
  const accounts: Accounts = {
    register: (input) => register(core, input),
    authenticate: (input) => authenticate(core, input),
    confirm: (input) => confirm(core, input),
    changePassword: (input) => changePassword(core, input),
    ban: (subject, o = {}) => ban(core, subject, o),
    unban: (subject, o = {}) => unban(core, subject, o),
    setRoles: (subject, names, o = {}) => setRoles(core, subject, names, o),
    find: (identifier, o = {}) => find(core, identifier, o),
    get: (subject) => get(core, subject),
    events,
    async ready() {
      await core.ready()
      await core.hasher.ready()
    },
  }
  // `R` only narrows what `roles` checks at run time.
  return Object.freeze({ ...accounts, ...(oneTime && recovery) }) as unknown as Accounts<R>
}
