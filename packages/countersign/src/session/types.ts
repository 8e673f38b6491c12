import type { Duration } from '../internal/duration.ts'
import type { Immutable } from '../internal/immutable.ts'
import type { SessionId } from './ids.ts'
import type { EndReason, Refused } from './reasons.ts'
import type { Delivery, Device } from './record.ts'

/** What a token alone proves. Every strategy yields it. Frozen. */
export interface Principal<R extends string = string> {
  /** Always there in what `createSessions` verifies; a token of another issuer may have none. */
  readonly sessionId?: SessionId
  readonly subject: string
  readonly tenant?: string
  readonly roles: readonly R[]
  readonly audience: readonly string[]
  readonly clientId?: string
  /** Who acts for the subject (RFC 8693 `act.sub`), where somebody does. */
  readonly actor?: string
  /** When the subject last proved who it is, in milliseconds since the epoch. */
  readonly authTimeMs: number
  /** Level of that proof, one of the configured `acrLevels`. */
  readonly acr: string
  /** Methods of that proof (RFC 8176): `pwd`, `otp`, … */
  readonly amr: readonly string[]
  /** When what was verified ends by itself, in milliseconds since the epoch. */
  readonly expiresAtMs: number
}

/** A principal together with what its record says. Frozen: to change `data`, call `update`. */
export interface Session<D = undefined, R extends string = string> extends Principal<R> {
  readonly sessionId: SessionId
  readonly data: Immutable<D>
  /** Counts changes of `data`, from 1. */
  readonly version: number
  readonly device: Readonly<Device>
  readonly delivery: Delivery
  readonly persistent: boolean
  /** Address and user agent at login or at the last rotation, for the list of devices. */
  readonly origin: { readonly ip?: string; readonly userAgent?: string }
  readonly createdAtMs: number
  /** Coarse: within a tenth of the idle timeout. */
  readonly lastSeenAtMs: number
}

/** The answer to a check: the session, or the refusal. */
export type Checked<P> = { readonly ok: true; readonly session: P; readonly degraded?: undefined } | Refused

/**
 * The answer of `verify` where the store could not be asked and the caller wanted to go on all the same: the session was
 * live when this process last knew, and may have ended since. Only where `outage` was given. Check `degraded` before
 * `session`.
 */
export type Degraded = { readonly ok: true; readonly degraded: true; readonly session: DegradedSession }

/**
 * Whose request it is, and no more: neither data, nor anything that decides what somebody may do (roles, level, methods and
 * time of the authentication). Frozen.
 */
export type DegradedSession = Omit<Principal, 'roles' | 'acr' | 'amr' | 'authTimeMs'> & {
  readonly sessionId: SessionId
}

/** What becomes of a check when the store does not answer. Absent: its fault is thrown. */
export type OutagePolicy = {
  /**
   * Accept, as {@link Degraded}, a session that this process itself found live so short a time ago, 1 s to 5 min, and has
   * heard of no change since. A revocation by another process takes effect that much later while the store is away.
   */
  verifiedWithin: Duration
}

/** What the caller knows of the request it serves. Adapters fill it; it reaches events, never tokens. */
export type Context = {
  /** At most 64 characters. */
  ip?: string
  /** Kept to its first 256 characters. */
  userAgent?: string
  requestId?: string
  /** Who acted, for the audit, where it was not the subject: an administrator, a job. */
  by?: string
}

/**
 * How long an end is sure to last: on other machines, on disk, in the memory of one server, or not written at all
 * (`stateless`). `queued`: nothing has ended yet. The store did not take it, or may not have; this process refuses what
 * it would end, asks again until it is done, and tells by the event `revocation_done`.
 */
export type Durability = 'replicated' | 'fsynced' | 'local' | 'queued' | 'none'

/** The answer of a call that ends or changes sessions. */
export type Ended = {
  /** How many sessions this call ended or changed. 0 while it is `queued`. */
  readonly ended: number
  /**
   * From here on no request is accepted, in milliseconds of store time since the epoch. `null` while it is `queued`:
   * nobody knows yet.
   */
  readonly effectiveAtMs: number | null
  readonly durability: Durability
  /** How many replicas have it, where there are any to wait for: also when they were too few for `replicated`. */
  readonly replicas?: number
  /** The subject's epoch after the call, for an `issue({ ifEpoch })` that follows it. Absent where there is no subject. */
  readonly epoch?: number
}

/** What becomes of a revocation that the store does not take, or may not have. */
export type WhenAway = {
  /**
   * `queue`: the answer is `queued`, and this process sees to it. `throw`: the store's fault is thrown, and nothing is
   * kept: for a program that is about to end. Default `queue`.
   */
  whenAway?: 'queue' | 'throw'
}

/** What a check demands of the session besides being live. */
export type VerifyOptions = {
  /** Must be one of the token's audiences. Default: any that the strategy has. */
  audience?: string
  /** Any of them is enough. */
  roles?: readonly string[]
  /** At least this level. */
  acr?: string
  /** Longest time since authentication. */
  maxAge?: Duration
  /** Ask the store even where the near cache could answer: for what must not be a second late. */
  fresh?: boolean
  context?: Context
  signal?: AbortSignal
}

/** All that adapters, guards and sockets depend on. */
export interface Verifier<P extends Principal> {
  /**
   * Checks a token in memory only and never waits. `undefined` means that the store must be asked:
   * `sessions.verifyNow(token) ?? await sessions.verify(token)`. A revocation by another process is seen at most
   * `nearCache.maxStale` (1 s) after it was acknowledged, one by this process at once.
   */
  verifyNow(token: string, options?: VerifyOptions): Checked<P> | undefined
  /**
   * Checks a token, and in an outage of the store accepts one that was found good a short time ago:
   * {@link OutagePolicy}. Whatever can be told without the store is: a token that has expired, was tampered with or is
   * known to be revoked is refused or not accepted as ever. Where the call asks for `roles`, `acr`, `maxAge` or `fresh`,
   * the fault is thrown. Only what `createSessions` makes remembers anything; other verifiers throw the fault.
   *
   * @remarks From the first such call on, the process remembers what the store confirms, within a quarter of the
   * near cache's `maxBytes`. Event: `served_degraded`.
   * @throws CountersignError `ERR_INPUT_INVALID` for another `verifiedWithin`; else as below.
   */
  verify(token: string, options: VerifyOptions & { outage: OutagePolicy }): Promise<Checked<P> | Degraded>
  /**
   * Checks a token.
   *
   * @remarks Cost: at most one store read; none for `stateless`, and none from the near cache, where the bound of
   * `verifyNow` holds. At most one background write per tenth of the idle timeout and one per rotation.
   * @throws CountersignError `ERR_STORE_UNAVAILABLE`, `ERR_STORE_TIMEOUT` when the store did not answer: neither a yes nor a no.
   */
  verify(token: string, options?: VerifyOptions): Promise<Checked<P>>
}

/** What `explain` says of a token or id, for support. Holds no secret. */
export interface Explanation {
  readonly kind: 'access_token' | 'opaque_token' | 'refresh_token' | 'session_id' | 'unrecognised'
  /** Whether it would be accepted where its kind belongs; an id: whether its session is live. */
  readonly accepted: boolean
  readonly refusal?: Refused
  readonly sessionId?: SessionId
  readonly subject?: string
  readonly tenant?: string
  /** Which generation of the refresh chain a refresh or access token belongs to. */
  readonly generation?: number
  readonly claims?: Readonly<Record<string, unknown>>
  readonly session?: Session<unknown>
}

/** One that `watch` saw end. */
export interface WatchedEnd {
  readonly id: SessionId
  readonly endedBy: EndReason
}

/** What a session has to be, besides live, for somebody to follow it: see `VerifyOptions`. */
export type FollowDemands = Pick<VerifyOptions, 'audience' | 'roles' | 'acr' | 'maxAge'>

/**
 * What becomes of a session that is followed. Nothing is called before `first` has resolved, or after `over` or `lost`. What
 * they throw becomes a process warning, and keeps nobody else from being told.
 */
export interface FollowOn<P> {
  /** The session has ended or expired, or lost the last of the demanded roles (`forbidden`). Once. */
  over(refused: Refused): void
  /** Its roles or its data are different. A use or a rotation is no change. */
  changed?(session: P, before: P): void
  /**
   * The store did not answer when it was asked, and nothing certain was heard of the session for longer than 3 s. With each
   * question that fails, about one a second.
   *
   * @param sinceMs - How long ago it was certainly live.
   * @param isOverdue - Its idle deadline has gone by. Elsewhere it may have been used since.
   */
  unsure?(sinceMs: number, isOverdue: boolean): void
  /** `ERR_CLOSED`: the sessions were closed, and nobody follows anything any more. Once. */
  lost?(fault: unknown): void
}

/** A session that is being followed. */
export interface Following<P> {
  /**
   * What the store says to a question that it is asked after the call, or was asked before if it has told of each change
   * since. Refused: it has ended, or does not meet the demands; then nothing is followed.
   *
   * Rejects with the fault of the store, and then nothing is followed either.
   */
  readonly first: Promise<Checked<P>>
  /** As it was read last. `undefined` before `first` has resolved. */
  readonly session: P | undefined
  /** Counts as a use of the session, as a request does: moves the idle deadline. At most one write per tenth of the window. */
  used(): void
  /** Ends it. May be called twice. */
  stop(): void
}
