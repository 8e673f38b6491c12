import type { SessionId } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'

/**
 * How a store that may lose acknowledged writes is told apart from the one that acknowledged them, and how what was lost
 * is done again. `docs/design/0007-durability-and-journal.md` has the reasoning.
 */
export interface Failovers {
  /**
   * The incarnation of the primary that holds a subject now (`null`: the floor), as this process saw it last.
   * `undefined` while that is not known, for instance without a connection.
   */
  incarnationOf(tag: string | null): Incarnation | undefined
  /**
   * For how long this process has known that primary to be in charge of something, in milliseconds of the monotonic clock.
   * `Infinity` for those that it found when the store was opened. `undefined` as above.
   */
  inChargeForMs(tag: string | null): number | undefined
  /** Calls back when one of them may have changed, and when the store can be reached again. */
  onChange(listener: () => void): void
  /** Asks who holds what now, so that a failover that broke no connection is seen as well. */
  look(): Promise<void>
  /**
   * Does again for one subject what was lost. Idempotent; names sessions, so that what was opened since lives on; sets
   * roles and block only where nobody has set them later; refuses with a fresh `notBefore` all tokens made before it.
   */
  reapply(tag: string, lost: Lost, nowMs: number): Promise<Reapplied>
}

/**
 * Names a primary from its start, or from the failover that made it one, to its end: 3 or more hexadecimal digits. A
 * write that was acknowledged by one incarnation may be unknown to the next.
 */
export type Incarnation = string

/** What may have been lost of one subject. */
export interface Lost {
  /** All of its sessions that are known to have ended, and why. */
  readonly sessions: ReadonlyMap<SessionId, EndReason>
  /** Single tokens that are refused, and until when. */
  readonly jtis: ReadonlyMap<string, number>
  /** The newest epoch it was seen to have. */
  readonly epoch: number
  /** The roles set last, and the epoch after it. */
  readonly roles?: { readonly names: readonly string[]; readonly epoch: number }
  /** The block set or lifted last, and the epoch after it. */
  readonly block?: { readonly blocked: boolean; readonly epoch: number }
  /** How long an id that the store does not know is remembered. */
  readonly unknownUntilMs: number
}

export interface Reapplied {
  readonly by: Incarnation | undefined
  /** Whether anything had been lost. */
  readonly lost: boolean
  /** Sessions that were alive again. */
  readonly ids: readonly SessionId[]
}
