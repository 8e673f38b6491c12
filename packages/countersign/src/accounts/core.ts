import type { EmitterSource } from '../events/emitter.ts'
import { CountersignError } from '../internal/errors.ts'
import type { Runtime } from '../internal/runtime.ts'
import type { OneTime } from '../one-time/types.ts'
import type { Subject, SubjectRef } from '../session/ids.ts'
import { contextOf } from '../session/input.ts'
import type { Context } from '../session/types.ts'
import type { Account, AccountStore } from '../stores/contract.ts'
import type { Keyring } from '../tokens/keyring.ts'
import type { AccountEvent } from './events.ts'
import { hashIdentifier } from './identifier.ts'
import type { Hasher } from './passwords/hasher.ts'
import type { PasswordPolicy } from './passwords/policy.ts'
import type { AccountRefusalReason, AccountRefused, AccountSessions, AccountView } from './types.ts'

/** What every verb works with. Made once by `createAccounts`; nothing in it changes. */
export interface AccountsCore {
  readonly accounts: AccountStore
  readonly sessions: AccountSessions
  readonly keyring: Keyring
  readonly hasher: Hasher
  readonly policy: PasswordPolicy
  /** Absent: there is no recovery. */
  readonly oneTime: OneTime | undefined
  readonly roles: readonly string[] | undefined
  readonly runtime: Runtime
  readonly events: EmitterSource<AccountEvent>
  /** Store time in milliseconds. */
  nowMs(): number
  /** Connects the store the first time. */
  ready(): Promise<void>
}

/** Lost races after which a call gives up: somebody else changed the same account each time. */
export const MAX_ATTEMPTS = 50

/** What a password alone proves (NIST AAL1; RFC 8176 `pwd`). */
export const PROOF = Object.freeze({ acr: 'aal1', amr: Object.freeze(['pwd'] as const) } as const)

export function refused<Reason extends AccountRefusalReason>(reason: Reason): AccountRefused<Reason> {
  return Object.freeze({ ok: false, reason })
}

/** The subject as the verbs of sessions take it. */
export function subjectOf(ref: Pick<SubjectRef, 'subject' | 'tenant'>): Subject {
  return ref.tenant === undefined ? ref.subject : { subject: ref.subject, tenant: ref.tenant }
}

export function viewOf(core: AccountsCore, account: Account): AccountView {
  const { subject, tenant, identifier, blocked, createdAtMs, passwordChangedAtMs, emailVerifiedAtMs = null } = account
  return Object.freeze({
    subject,
    ...(tenant !== undefined && { tenant }),
    identifier,
    roles: rolesOf(core, account),
    blocked,
    createdAtMs,
    passwordChangedAtMs,
    emailVerifiedAtMs,
  })
}

/** The account's roles, without those that have gone from the configuration: they mean nothing any more. */
export function rolesOf(core: AccountsCore, account: Account): readonly string[] {
  const { roles: known } = core
  return Object.freeze(known ? account.roles.filter((role) => known.includes(role)) : [...account.roles])
}

export function tooManyRaces(): CountersignError {
  const message = `the account was changed by others ${MAX_ATTEMPTS} times in a row`
  return new CountersignError('ERR_STORE_CONFLICT', message, { retryable: true })
}

type Detail<T> = T extends AccountEvent ? Omit<T, 'at' | 'subject' | 'tenant' | 'identifierHash' | 'context'> : never

/** Emits an event about an account, or about an identifier that has none. */
export function tell(
  core: AccountsCore,
  detail: Detail<AccountEvent>,
  about: { readonly subject?: string; readonly tenant?: string | undefined; readonly identifier?: string | undefined },
  context: Context | undefined,
): void {
  const { subject, tenant, identifier } = about
  core.events.emit({
    ...detail,
    at: new Date(core.nowMs()).toISOString(),
    ...(subject !== undefined && { subject }),
    ...(tenant !== undefined && { tenant }),
    ...(identifier !== undefined && { identifierHash: hashIdentifier(core.keyring, identifier, tenant) }),
    ...(context && { context: contextOf(context) }),
  } as AccountEvent)
}
