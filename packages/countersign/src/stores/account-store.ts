import type { SubjectRef } from '../session/ids.ts'

/** Accounts, for applications that have nobody else to authenticate their users. */
export interface AccountStore {
  /** Claims the identifier and adds the account. Neither happens if either exists. */
  create(account: Account): Promise<{ readonly is: 'created' | 'exists' }>
  /** The subject that an identifier belongs to. */
  subjectOf(identifier: IdentifierRef): Promise<SubjectRef | null>
  bySubject(subject: SubjectRef): Promise<Account | null>
  /** Replaces the account if its version is still `expectedVersion`. Never creates, never changes the identifier. */
  replace(account: Account, expectedVersion: number): Promise<{ readonly is: 'stored' | 'conflict' | 'unknown' }>
}
/** What somebody logs in with, normalised by the caller. */
export interface IdentifierRef {
  readonly identifier: string
  readonly tenant?: string
}
export interface Account extends SubjectRef {
  readonly identifier: string
  /** Counts changes, from 1. */
  readonly version: number
  /** PHC string. */
  readonly passwordHash: string
  readonly passwordChangedAtMs: number
  readonly roles: readonly string[]
  /** Why the account may not log in; `null` when it may. */
  readonly blocked: string | null
  readonly createdAtMs: number
  /** When the identifier was shown to be an address of the account's owner. Absent when it was not. */
  readonly emailVerifiedAtMs?: number
  /**
   * A change of the account whose sessions have not been ended yet, because the process died between the two. The next
   * login or administrative call finishes it first. `null` when nothing is open.
   */
  readonly unsettled: 'password_changed' | 'banned' | 'roles' | null
}

/**
 * What may happen once: one-time tokens, and ids of assertions that must not come again. Every place has one thing in it
 * at most, so a new token for a place voids the one before in the same step.
 */
export interface OnceStore {
  /** Keeps `value` at `place` until `untilMs`, instead of whatever was there. */
  put(place: Place, value: OnceValue, untilMs: number): Promise<void>
  /** What is kept at `place` under `hash`, without taking it. `null` when that is over, replaced, taken or never was. */
  look(place: Place, hash: Uint8Array, nowMs: number): Promise<Uint8Array | null>
  /** The same, and it is gone: of any number of calls at once exactly one gets it. Another hash takes nothing away. */
  take(place: Place, hash: Uint8Array, nowMs: number): Promise<Uint8Array | null>
  /**
   * True for the first caller with this `id` in this `scope` until `untilMs`, false for every later one until then.
   * A claim that is over at `nowMs` can be made again. Both texts are 1 to 1 024 characters.
   */
  claim(scope: string, id: string, untilMs: number, nowMs: number): Promise<boolean>
}
/** SHA-256 of whatever names the place: 32 bytes. */
export type Place = Uint8Array
export interface OnceValue {
  /** SHA-256 of the secret that takes it: 32 bytes. */
  readonly hash: Uint8Array
  /** At most 32 KiB. */
  readonly bytes: Uint8Array
}
