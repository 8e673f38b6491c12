import type { Format } from '../internal/format.ts'
import type { SessionId } from './ids.ts'
import type { EndReason } from './reasons.ts'

/** Format of what this release stores. Releases N-1 and N read each other's records; `docs/storage-schema.md` has the history. */
export const RECORD_FORMAT: Format = 1

/** How the credentials of a session travel. The record keeps it, so that a refresh answers in kind. */
export type Delivery = 'cookie' | 'browser' | 'bearer'

/** The device a session belongs to, as the application names it. */
export type Device = { id: string; label?: string; class?: 'browser' | 'mobile' | 'cli' }

/** Where a request came from, as far as it is kept with the session and shown in the list of devices. */
export interface Origin {
  readonly ip?: string
  readonly userAgent?: string
}

/**
 * A live session as a store keeps it. Every number that ends in `Ms` is milliseconds of store time since the epoch.
 *
 * Groups of fields have one writer each: `identity` is fixed at creation, `data` and `operations` belong to `update`,
 * `roles` and `pendingRoles` to `setRoles` and `rotate`, the rotation state to `rotate` and `touch`, the times to `touch`.
 */
export interface SessionRecord extends SessionIdentity {
  readonly id: SessionId
  /** Counts changes of `data`, from 1. */
  readonly version: number
  /** JSON text of the application's own value, already validated; `null` when there is no schema. Stores do not look inside. */
  readonly data: string | null
  /** Version of the application's schema that `data` fits. Absent: 1. */
  readonly dataVersion?: number
  /** Ids of the last updates, newest last, at most {@link MAX_OPERATIONS}: a repeated one is not applied again. */
  readonly operations: readonly string[]

  readonly roles: readonly string[]
  /** Roles that take effect at the next rotation or step-up; `null` when nothing waits. */
  readonly pendingRoles: readonly string[] | null
  /** First generation whose access tokens may use all of `roles`; older ones are `superseded`. */
  readonly rolesGeneration: number

  readonly createdAtMs: number
  readonly lastSeenAtMs: number
  /** Refused from here on for idleness. Equals `absoluteAtMs` where there is no idle timeout. */
  readonly idleAtMs: number
  /** Refused from here on whatever happens. Nothing ever moves it. */
  readonly absoluteAtMs: number
  /** The refresh token is refused from here on. Equals `idleAtMs` for strategies without one. */
  readonly refreshAtMs: number
  /** Latest `exp` of any access token of this session; 0 where the strategy signs none. */
  readonly lastExpMs: number

  /** Generation of the current secret, from 0, plus 1 with each rotation. */
  readonly generation: number
  /** SHA-256 of the current secret: the opaque token's, or the refresh token's. 32 bytes; all zero where there is none. */
  readonly hash: Uint8Array
  /** SHA-256 of the secret before it; `null` before the first rotation. */
  readonly previousHash: Uint8Array | null
  /** Number of the rotation key that derived the current secret; 0 before the first rotation. */
  readonly rotationKey: number
  /** Number of the MAC key of the current refresh or opaque token. */
  readonly macKey: number
  /** When the current generation was made. */
  readonly rotatedAtMs: number
  /** When the current secret was last handed out: made, or repeated to somebody who presented the one before. */
  readonly handedOutAtMs: number
  /** When the current generation was first presented; 0 while it was not. */
  readonly confirmedAtMs: number
  /** How often the current secret was repeated later than the grace after `rotatedAtMs`. */
  readonly replays: number
  /** Where the session was opened or last rotated. */
  readonly origin: Origin
  /** What a newer release has added. Every step keeps it, and `replace` carries it to the new id; nobody here looks into it. */
  readonly more?: Additions
}

/** The part of a record that this release does not know. */
export interface Additions {
  /** In which the record was written: a newer minor of ours. */
  readonly format: Format
  /** JSON text of an object; empty when the newer release had nothing to add. */
  readonly text: string
}

/** What is fixed when a session is created. */
export interface SessionIdentity {
  readonly subject: string
  readonly tenant?: string
  readonly authTimeMs: number
  readonly acr: string
  readonly amr: readonly string[]
  readonly audience: readonly string[]
  readonly clientId: string
  readonly device: Readonly<Device>
  readonly delivery: Delivery
  readonly persistent: boolean
  /** True for `denylist`: ending the session also writes the subject's revocation record. */
  readonly stamped: boolean
}

/** What stays of a session that ended, so that its tokens are refused with the reason until the last of them is over. */
export interface Tombstone {
  readonly id: SessionId
  readonly endedAtMs: number
  readonly why: EndReason
  /** With the reason `replaced`: the id that took over. */
  readonly replacedBy?: SessionId
  /** From here on the store may forget it. */
  readonly keepUntilMs: number
}

/** Longest list of operation ids that a record remembers. */
export const MAX_OPERATIONS = 16
/** Most tombstones that a store keeps per subject; the oldest go first, and a forgotten one is `unknown`: refused all the same. */
export const MAX_TOMBSTONES = 64
/** Clock tolerance that ended `sid`s and `jti`s outlive the last `exp` by: the most that any verifier may allow. */
export const MAX_LEEWAY_MS = 300_000

/** The end of a live session's time if nothing touches it: the earlier of both deadlines. */
export function deadlineMs(record: SessionRecord): number {
  return Math.min(record.idleAtMs, record.absoluteAtMs)
}

/**
 * From here on nothing that refers to the session can be presented any more, and the store may forget it. The leeway
 * counts only where a verifier may take a token without the record: elsewhere a record that is gone is a refusal too.
 */
export function keepUntilMs(record: SessionRecord): number {
  const lastExpMs = record.stamped ? record.lastExpMs + MAX_LEEWAY_MS : record.lastExpMs
  return Math.max(deadlineMs(record), record.refreshAtMs, lastExpMs)
}
