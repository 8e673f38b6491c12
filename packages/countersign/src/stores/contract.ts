import type { SessionId, SubjectRef } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'
import type { Origin, SessionRecord, Tombstone } from '../session/record.ts'
import type { AccountStore, OnceStore } from './account-store.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { Failovers, Incarnation } from './failovers.ts'

export type { SessionId, SubjectRef } from '../session/ids.ts'
export type { EndReason } from '../session/reasons.ts'
export type { Delivery, Device, Origin, SessionIdentity, SessionRecord, Tombstone } from '../session/record.ts'
export type { Account, AccountStore, IdentifierRef, OnceStore, OnceValue, Place } from './account-store.ts'
export type { ChangeFeed, Feed, FeedListener, FeedStatus, Line, Tracked } from './change-feed.ts'
export type { Failovers, Incarnation, Lost, Reapplied } from './failovers.ts'

/**
 * Everything that Countersign keeps, split by ability. `redisStore()`, `sqliteStore()` and `memoryStore()` give all of
 * it; a custom store may give one property, and what needs the others then does not compile.
 *
 * Rules for every method: one round trip and one atomic step; absent is a value, an outage is a `CountersignError`
 * with an `ERR_STORE_…` code; nothing that has ended is revived; `nowMs` is the caller's estimate of the store's time
 * and never taken from a clock of the store's own.
 */
export interface Store {
  readonly sessions: SessionStore
  /** From the same store as `sessions`: the session steps write both. */
  readonly revocations: RevocationStore
  readonly accounts: AccountStore
  readonly once: OnceStore
  readonly lifecycle: Lifecycle
}

/** What a store answered last about one session. Empty until the store fills it in, which not every store does. */
export interface LastRead {
  found?: Found
  /** What `found` was made of, as the store compares it. */
  raw?: string
}

export interface SessionStore {
  /**
   * Adds a session, unless its subject is blocked, its epoch has moved, its id exists (also as a tombstone) or the
   * limit says no. Evicts what `limit` names in the same step.
   */
  create(record: SessionRecord, rule: CreateRule, nowMs: number): Promise<Created>

  /**
   * The record, its tombstone, or `unknown`. Judges no deadline: the caller compares them with its own `nowMs`.
   *
   * @param last - The caller's note of the last answer about this id. A store may fill it in, and when it is asked with it
   * again and finds the very same, answer with the very same object: then nothing is decoded or looked at twice. The store
   * is asked all the same.
   */
  read(id: SessionId, last?: LastRead): Promise<Found>

  /**
   * Replaces the application's data if nobody else did since `expectedVersion`. Never creates. Leaves every other
   * field as the store has it, so an update and a rotation at the same time both land.
   */
  update(id: SessionId, change: DataChange, expectedVersion: number, nowMs: number): Promise<Updated>

  /**
   * Notes that a session was used. Moves `lastSeenAtMs` and `idleAtMs` forward only; never revives, never shortens.
   * With `generation`, confirms that generation and no other. Weak durability is allowed.
   */
  touch(id: SessionId, seen: Touch, nowMs: number): Promise<void>

  /** The refresh table of `docs/design/0003`: rotates, repeats the successor, or ends the session on reuse or fork. */
  rotate(id: SessionId, presented: Presented, next: Successor, rule: RotationRule, nowMs: number): Promise<Rotated>

  /**
   * Gives a live session a new id and new secrets: data and its version, what a newer release added, version,
   * operations, roles (with those that waited), creation time and absolute deadline are taken from the old record inside the step, everything else from `next`. The old id
   * leaves a tombstone `replaced` that names the new one. Does not count against the limit.
   */
  replace(old: SessionId, next: SessionRecord, rule: ReplaceRule, nowMs: number): Promise<Replaced>

  /**
   * Ends one session. Follows an id that was replaced to the one that took over. An id the store does not know gets a
   * tombstone too, kept until `unknownUntilMs`, so that nothing late can create it.
   */
  end(id: SessionId, why: EndReason, rule: EndRule, nowMs: number): Promise<Durable>

  /** Ends all sessions of a subject but `except`, moves its epoch, and blocks or unblocks it, in one step. */
  endSubject(subject: SubjectRef, why: EndReason, rule: EndSubjectRule, nowMs: number): Promise<Durable>

  /**
   * Sets the roles of all live sessions of a subject and moves its epoch. A role that a session has and `roles` lacks
   * is gone at once; a role that it lacks waits in `pendingRoles`. Returns the ids of the sessions that changed.
   */
  setRoles(subject: SubjectRef, roles: readonly string[], nowMs: number): Promise<Durable>

  /** The gate that `CreateRule.ifEpoch` is compared with. An unknown subject has epoch 0 and is not blocked. */
  subject(subject: SubjectRef, nowMs: number): Promise<SubjectGate>

  /** Live sessions of a subject, by creation time and id, from after the cursor `after`. */
  list(subject: SubjectRef, after: string | null, rule: ListRule, nowMs: number): Promise<Page>

  /** The floor and the store's marker. */
  floor(): Promise<Floor>
  /** Raises the floor to `nowMs`, never lowers it. */
  raiseFloor(why: EndReason, nowMs: number): Promise<{ readonly notBeforeMs: number } & Written>

  /**
   * Deletes up to `limit` rows that nothing can refer to any more and returns how many. Only for stores that do not
   * expire rows themselves; the library calls it in the background.
   */
  sweep?(nowMs: number, limit: number): Promise<number>

  /** Present where copies of what was read can be kept in the process: see {@link ChangeFeed}. */
  readonly changes?: ChangeFeed

  /** Present where a server may take over, or come back, without all that was acknowledged. */
  readonly failovers?: Failovers
}

export interface CreateRule {
  readonly limit: LimitRule
  /** Refuse with `stale_epoch` unless the subject's epoch is this. `null` = do not ask. */
  readonly ifEpoch: number | null
  /**
   * Refuse with `stale_epoch` also where another primary told that epoch: 0 to 2 047, the first eleven bits of its
   * incarnation. Only for stores with `failovers`.
   */
  readonly ifPrimary?: number
  /** Sessions created at or below it have ended and do not count. */
  readonly floorMs: number
  /** Life of an access token, in milliseconds; 0 where the strategy signs none. The step sets `lastExpMs` from it. */
  readonly accessMs: number
  readonly durable?: DurableWish
}
export interface LimitRule {
  /** Live sessions per subject, 1 to 1 000. */
  readonly max: number
  readonly overflow: 'reject' | 'evict_oldest' | 'evict_least_recent'
}
export type Created =
  | ({
      readonly is: 'created'
      readonly evicted: readonly SessionId[]
      /** max(`nowMs`, `notBefore` + 1, `floorMs` + 1): what the first access token counts from. */
      readonly stamp: number
    } & Written)
  | { readonly is: 'limit' | 'blocked' | 'stale_epoch' | 'exists' }

export type Gone = { readonly is: 'ended'; readonly tombstone: Tombstone } | { readonly is: 'unknown' }
export type Found = { readonly is: 'live'; readonly record: SessionRecord } | Gone

export interface DataChange {
  /** JSON text. */
  readonly data: string
  /** Version of the schema that it fits. Absent: 1. */
  readonly dataVersion?: number
  /** Remembered with the record; a call whose id is already there changes nothing and answers `repeated`. */
  readonly operationId?: string
  readonly durable?: DurableWish
}
export type Updated =
  | ({ readonly is: 'stored' | 'repeated'; readonly record: SessionRecord } & Written)
  | { readonly is: 'conflict'; readonly record: SessionRecord }
  | { readonly is: 'expired'; readonly record: SessionRecord }
  | Gone

export interface Touch {
  readonly idleAtMs: number
  readonly generation?: number
}

export interface Presented {
  readonly generation: number
  /** SHA-256 of the presented secret. */
  readonly hash: Uint8Array
}
export interface Successor {
  /** SHA-256 of the derived secret of generation `presented.generation + 1`. */
  readonly hash: Uint8Array
  readonly rotationKey: number
  readonly macKey: number
  readonly refreshAtMs: number
  readonly origin: Origin
}
export interface RotationRule {
  readonly graceMs: number
  /** `never` = the letter of ASVS 10.4.5: a token that was rotated away is reuse at once. */
  readonly replay: 'until_seen' | 'never'
  /** Repeats later than the grace after the rotation, per generation, before a step-up is demanded. */
  readonly maxReplays: number
  readonly accessMs: number
  /** Sessions created at or below it have ended. */
  readonly floorMs: number
  /**
   * Given where a refresh is the only sign of activity (`denylist`, `stateless`): moves `lastSeenAtMs` and `idleAtMs`
   * forward as `touch` does, to the one that fits the record's `persistent`. `null` = a refresh is no activity.
   */
  readonly use: { readonly idleAtMs: number; readonly persistentIdleAtMs: number } | null
  /**
   * Given by whom a store has `failovers`: the incarnation that is known to have forgotten nothing of late, `null` = none. A
   * step of another one ends as `rolled_back` what would be `reused`. Absent: no incarnation is doubted.
   */
  readonly trusts?: Incarnation | null
  readonly durable?: DurableWish
}
export type Rotated =
  | ({
      /**
       * `rotated`: the successor is in force. `replayed`: the same successor again. `current`: handed out within the
       * grace, nothing rotated. In all three `record` is the one after the step.
       */
      readonly is: 'rotated' | 'replayed' | 'current'
      readonly record: SessionRecord
      /** Where the session was rotated last before this call. */
      readonly previousOrigin: Origin
      readonly stamp: number
    } & Written)
  | {
      /** This call ended the session. */
      readonly is: 'reused' | 'rolled_back'
      readonly record: SessionRecord
      readonly by?: Incarnation
    }
  | {
      /** `expired`: a deadline has passed. `too_many_replays`: nothing changed. */
      readonly is: 'expired' | 'too_many_replays'
      readonly record: SessionRecord
    }
  | Gone

export interface ReplaceRule {
  readonly accessMs: number
  readonly floorMs: number
  readonly durable?: DurableWish
}
export type Replaced =
  | ({
      readonly is: 'replaced'
      readonly record: SessionRecord
      readonly stamp: number
    } & Written)
  | { readonly is: 'expired'; readonly record: SessionRecord }
  | { readonly is: 'blocked' | 'exists' }
  | Gone

export interface EndRule {
  /** How long a tombstone for an unknown id is kept, in store time. */
  readonly unknownUntilMs: number
  /** True where tokens are checked against the revocation record: an unknown id is entered there as well. */
  readonly stamped: boolean
}
export interface EndSubjectRule {
  readonly except?: SessionId
  /** `true` blocks, `false` unblocks, absent leaves it. A blocked subject gets no session. */
  readonly block?: boolean
}

/** How much a store promised of a write: on other machines, on disk, or in the memory of one server. */
export type StoreDurability = 'replicated' | 'fsynced' | 'local'

/** Asks that a write which is no revocation waits for replicas, as revocations do by themselves. */
export type DurableWish = 'replicated'

/** What a store says of every write that it acknowledges. */
export interface Written {
  readonly durability: StoreDurability
  /** How many replicas have it, where they were waited for. */
  readonly replicas?: number
  /** Which primary wrote it, where `failovers` is there. */
  readonly by?: Incarnation
}

export interface Durable extends Written {
  /** The sessions that this call ended or changed. */
  readonly ids: readonly SessionId[]
  /** The subject's epoch after the call. */
  readonly epoch: number
  /** Sessions of the subject that are known to have ended, whoever ended them. Where `failovers` is there. */
  readonly ended?: readonly SessionId[]
}

export interface SubjectGate {
  readonly epoch: number
  /** Which primary said so, where `failovers` is there. */
  readonly by?: Incarnation
  readonly blocked: boolean
  /** Sessions that are live at `nowMs`. */
  readonly live: number
}

export interface ListRule {
  /** Most sessions per page, 1 to 1 000. */
  readonly limit: number
  readonly floorMs: number
}
export interface Page {
  readonly items: readonly SessionRecord[]
  /** Cursor for the next call; `null` at the end. */
  readonly next: string | null
}

export interface Floor {
  /** A session created at or below it has ended. 0 = there is none. */
  readonly notBeforeMs: number
  /** What raised it. */
  readonly why: EndReason
  /** Made when the store was first used. Another marker means that the store lost its data. */
  readonly marker: string
}

/**
 * One record per subject, for strategies whose tokens are checked without the session record: the stamp below which
 * tokens are refused, and the `sid`s and `jti`s that ended, until their last `exp` plus leeway. The session steps write it.
 */
export interface RevocationStore {
  /** Refuses one token, until `untilMs`. */
  deny(subject: SubjectRef, jti: string, untilMs: number, nowMs: number): Promise<Durable>
  /** `lost`: no record. Under an unexpired token that means that the store lost data. */
  read(tag: string): Promise<Revocations | { readonly is: 'lost' }>
}
export interface Revocations {
  readonly is: 'known'
  readonly subject: string
  readonly tenant?: string
  /** A token whose stamp is at or below it is refused. */
  readonly notBefore: number
  readonly sids: ReadonlyMap<string, EndReason>
  readonly jtis: ReadonlySet<string>
}

export interface Lifecycle {
  readonly name: string
  /**
   * Connects, prepares the schema, learns the server's time and checks its settings. Resolves at once when that has
   * happened before.
   *
   * @param placement - Fingerprint of the key that makes tags. Kept at the first start.
   * @throws CountersignError `ERR_STORE_MISCONFIGURED` when the store holds another fingerprint, or cannot be used safely.
   */
  ready(placement: string): Promise<void>
  health(): StoreHealth
  /** The store's time as far as this process knows it, in milliseconds. Never goes back. */
  nowMs(): number
  /** Finishes what is under way and lets go of every handle. May be called twice. */
  close(): Promise<void>
}
export interface StoreHealth {
  readonly up: boolean
  /**
   * True when it was proven, or stated by who runs it, that the store never drops anything to make room. `denylist`
   * refuses to start without: a revocation that was evicted is a revoked token that works again.
   */
  readonly keepsAll: boolean
  /** What an operator should know: settings that weaken a promise, with the promise. Never a secret. */
  readonly warnings: readonly string[]
  /** What would be better, though no promise depends on it. */
  readonly advice?: readonly string[]
}
