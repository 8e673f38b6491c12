import type { NearCacheHealth } from './cache/health.ts'
import type { Events } from './events/events.ts'
import type { Immutable } from './internal/immutable.ts'
import type { BreakerHealth } from './outage/breaker.ts'
import type { AccessToken, RefreshToken, SessionId, Subject } from './session/ids.ts'
import type { EndReason, Refused } from './session/reasons.ts'
import type { Delivery, Device } from './session/record.ts'
import type {
  Checked,
  Context,
  Durability,
  Ended,
  Explanation,
  FollowDemands,
  Following,
  FollowOn,
  Principal,
  Session,
  Verifier,
  WatchedEnd,
  WhenAway,
} from './session/types.ts'
import type { StoreHealth } from './stores/contract.ts'
import type { Strategy } from './strategies/strategy.ts'

type ReadsOf<S> = S extends Strategy<infer X, any, any> ? X : never
type RenewsOf<S> = S extends Strategy<any, infer F, any> ? F : never
/** Parts of a store that a strategy cannot do without. */
export type NeedsOf<S> = S extends Strategy<any, any, infer N> ? N : never

/** What a check yields: the session where the strategy reads the record, the principal where it reads only the token. */
export type Seen<S, D, R extends string> =
  ReadsOf<S> extends 'record' ? Session<D, R> : Principal<R> & { readonly sessionId: SessionId }

/** The answer of `issue`, `refresh` and `stepUp`: the session with its secrets, or the refusal. */
export type Issued<S, D, R extends string> =
  | ({
      readonly ok: true
      readonly session: Session<D, R>
      /** The access token, or for `opaque` the session's own token. A secret. */
      readonly accessToken: AccessToken
      /** When the access token ends by itself, in milliseconds of store time since the epoch. */
      readonly accessExpiresAtMs: number
      readonly durability: Durability
      /** How many replicas have it, where it was asked to wait for them: also when they were too few for `replicated`. */
      readonly replicas?: number
      /**
       * What a refresh did. `first`: new secrets (issue, step-up). `rotated`: the successor. `replayed`: the successor
       * that somebody already had. `current`: the very token that was presented; do not write a cookie for it.
       */
      readonly rotation: 'first' | 'rotated' | 'replayed' | 'current'
    } & (RenewsOf<S> extends true
      ? { readonly refreshToken: RefreshToken; readonly refreshExpiresAtMs: number }
      : RenewsOf<S> extends false
        ? {}
        : { readonly refreshToken?: RefreshToken; readonly refreshExpiresAtMs?: number }))
  | Refused

/** What `issue` needs to know. Call it after somebody has proved who they are. */
export type Issue<I, R extends string> = {
  /** 1 to 256 characters. A random id of your own, never an e-mail address. */
  subject: string
  tenant?: string
  /** Default none. */
  roles?: readonly R[]
  device?: Device
  /** How the credentials travel; kept with the session, so that a refresh answers in kind. Default `cookie`. */
  delivery?: Delivery
  /** Default the weakest of `acrLevels`. */
  acr?: string
  amr?: readonly string[]
  /** Default now. */
  authTimeMs?: number
  /** What `epoch(subject)` said before the proof was checked: refuses with `stale_epoch` when it has moved since. */
  ifEpoch?: number
  /** "Remember me": the idle timeout becomes the refresh lifetime, cookies outlive the browser. */
  persistent?: boolean
  /** Fewer audiences than the strategy has. */
  audience?: string | readonly string[]
  clientId?: string
  /** Waits for replicas, as revocations do by themselves: the answer says by `durability` whether they have it. */
  durable?: 'replicated'
  context?: Context
} & (I extends undefined ? { data?: undefined } : { data: I })

/** The verbs of every strategy that keeps a record. Absent from the type of a storeless `stateless`. */
export interface Records<S, D, R extends string> {
  /** The session behind an id. One store read. */
  get(id: SessionId): Promise<Checked<Session<D, R>>>
  /**
   * Changes the application's data. `change` must be pure: when somebody else was faster it runs again on the newer
   * value, so that no acknowledged change is lost.
   *
   * @param options.operationId - 1 to 64 characters. The record remembers the last 16: a repeated id changes nothing.
   * @param options.durable - Waits for replicas; `durability` says whether they have it. Fewer are no error: it is written.
   * @remarks Two round trips, and one more for each lost race.
   * @throws CountersignError `ERR_DATA_INVALID`, `ERR_DATA_TOO_LARGE`, `ERR_STORE_CONFLICT` after 200 lost races.
   */
  update(
    id: SessionId,
    change: (data: Immutable<D>) => Immutable<D>,
    options?: { operationId?: string; durable?: 'replicated'; context?: Context },
  ): Promise<Checked<Session<D, R>> & { readonly durability?: Durability; readonly replicas?: number }>
  /**
   * After a further proof: a new id, new secrets, a fresh `authTimeMs`, and the roles that waited (ASVS 7.2.4). The old
   * id leaves a tombstone `replaced` with the remedy `refresh`. The absolute deadline does not move. Two round trips.
   */
  stepUp(
    id: SessionId,
    proof: { acr: string; amr: readonly string[] },
    options?: { durable?: 'replicated'; context?: Context },
  ): Promise<Issued<S, D, R>>
  /**
   * Sets the roles of all sessions of a subject. What is lost is lost at once; what is gained comes with the next
   * refresh that rotates, or the next login for `opaque`. Moves the epoch. One round trip.
   */
  setRoles(subject: Subject, roles: readonly R[], options?: { context?: Context } & WhenAway): Promise<Ended>
  /**
   * Ends one session. An id that a step-up replaced is followed. One round trip, and one more where there are replicas to
   * wait for; the same holds for `revokeAll`, `setRoles` and `revokeEveryone`. All four answer `queued` when the store
   * does not take them.
   *
   * @param options.jti - Only `denylist`: refuse this one access token and leave the session.
   */
  revoke(id: SessionId, options: { reason: EndReason; jti?: string; context?: Context } & WhenAway): Promise<Ended>
  /**
   * Ends every session of a subject but `except`, and moves its epoch, so that no login under way gets in. One round trip.
   *
   * @param options.block - `true`: the subject gets no session until it is unblocked; `false`: unblocks.
   */
  revokeAll(
    subject: Subject,
    options: { reason: EndReason; except?: SessionId; block?: boolean; context?: Context } & WhenAway,
  ): Promise<Ended>
  /** Ends every session that exists, of everybody (ASVS 7.4.5). Takes effect 1 s later. One round trip, no scan. */
  revokeEveryone(options: { reason: EndReason; context?: Context } & WhenAway): Promise<Ended>
  /**
   * The subject's epoch, for `issue({ ifEpoch })`, and of no other meaning. Read it before the proof is checked. One round
   * trip.
   */
  epoch(subject: Subject): Promise<number>
  /** Live sessions, oldest first. Never a token. One round trip per 100. */
  list(subject: Subject): AsyncIterable<Session<D, R>>
  /** What a token or id is and whether it would be accepted, without using it. At most one round trip. */
  explain(tokenOrId: string): Promise<Explanation>
  /**
   * Yields each of the ids once, when its session has ended in whatever process: revoked, banned, replaced or expired.
   * At once where the store tells of changes, and else within a second; then each id is read every second, and otherwise
   * only when there is reason to. Ends when all have ended or the signal is aborted. For ids that come and go: `follow`.
   *
   * @throws CountersignError `ERR_CLOSED` when the sessions are closed meanwhile.
   */
  watch(ids: Iterable<SessionId>, signal: AbortSignal): AsyncIterable<WatchedEnd>
  /**
   * Follows one session until it ends, for something that outlives a request: a socket, a stream, a job. Call it first and
   * look at `first` then: whatever ends the session after the call is told, in whatever process. As promptly as `watch`.
   * Sessions may come and go; all that are followed share what it takes.
   *
   * @param demands - `roles` must be met all the time, the others when `first` resolves.
   * @remarks One store read, and one after each change. In the steady state one per session and 24 to 30 s where the store
   * tells of changes, and else one per session and second. Any number of followers of one session cost the same.
   * @throws CountersignError `ERR_INPUT_INVALID`; `ERR_CLOSED`.
   */
  follow(id: SessionId, on: FollowOn<Session<D, R>>, demands?: FollowDemands): Following<Session<D, R>>
}

/** How the store is, what waits for it, and the near cache in front of it. */
export interface SessionsHealth extends StoreHealth {
  /** Revocations that the store has not taken yet: refused by this process, and not ended. */
  readonly queued: number
  readonly nearCache: NearCacheHealth
  readonly outage: OutageHealth
}

/** What outages of the store come to, in plain numbers since the start. */
export interface OutageHealth {
  readonly breaker: BreakerHealth
  /** Checks that were answered without the store: `verify` with `outage`. */
  readonly degraded: number
  /** Sessions that could be answered for so. 0 until somebody asks for it. */
  readonly remembered: number
}

/** What `createSessions` gives: the verbs that the strategy has, and no others. */
export type Sessions<S, D, R extends string, I = D> = Verifier<Seen<S, D, R>> &
  AsyncDisposable & {
    /**
     * Opens a session. One round trip, and one more for the floor when this process has not read it for a second; the
     * same holds for `refresh`, `stepUp` and `list`.
     *
     * @returns Refused with `limit`, `blocked` or `stale_epoch`.
     * @throws CountersignError `ERR_DATA_INVALID`, `ERR_DATA_TOO_LARGE`, `ERR_INPUT_INVALID`, `ERR_STORE_…`.
     */
    issue(options: Issue<I, R>): Promise<Issued<S, D, R>>
    readonly events: Events
    /** Connects and checks the store. Every verb does it when needed; call it at start to fail early. */
    ready(): Promise<void>
    /** Asks nobody. */
    health(): SessionsHealth
    /**
     * Finishes background writes, tries for 2 s to get rid of revocations that wait, and closes the store.
     *
     * @throws CountersignError `ERR_STORE_UNAVAILABLE` when some still waited and no journal keeps them. All is closed.
     */
    close(): Promise<void>
  } & ([NeedsOf<S>] extends [never] ? {} : Records<S, D, R>) &
  (true extends RenewsOf<S>
    ? {
        /**
         * Exchanges a refresh token. Safe to repeat: a lost answer or a second tab gets the same successor. One round trip.
         *
         * @param options.audience - For the access token: one of the session's audiences. Default all of them.
         */
        refresh(
          token: string,
          options?: { audience?: string; durable?: 'replicated'; context?: Context },
        ): Promise<Issued<S, D, R>>
      }
    : {})
