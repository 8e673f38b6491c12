import type { Clock, Moment } from '../internal/runtime.ts'
import type { SessionId } from '../session/ids.ts'
import type { Floor, Found, Revocations } from './contract.ts'

/**
 * How a store tells this process that something which the process has read has changed since, so that a copy may be
 * served without asking again. `docs/design/0005-near-cache.md` has the reasoning.
 */
export interface ChangeFeed {
  /**
   * `push`: changes arrive by themselves. `poll`: the store is asked for them five times a second. `probe`: it is asked
   * at each use of a copy, synchronously. `own`: this process makes all changes itself.
   */
  readonly mode: 'push' | 'poll' | 'probe' | 'own'
  /**
   * Begins. Opens connections in the background, at the latest with the first read, and never throws: what is wrong
   * stands in `Feed.status`.
   *
   * @param clock - What every `Line` is timed by, and compared with.
   */
  open(listener: FeedListener, clock: Clock): Feed
}

/**
 * Told of changes, synchronously and in the order of the line: a reply that was sent later is seen later. Its methods
 * never throw.
 */
export interface FeedListener {
  /** The record of this session is another one now, or none. */
  sessionChanged(id: SessionId): void
  /** The revocation record of this tag is another one now. */
  revocationsChanged(tag: string): void
  /** Whatever was read over this line, or is being read over it, is void. Told while the line still says when it was fenced. */
  reset(line: Line): void
  /** The floor, where a fence brings it: asked for at `asked`, on the clock that the feed was opened with. */
  floorRead(floor: Floor, asked: Moment): void
  /** Counts the questions that copies could have answered. While it stands still nobody needs fences. */
  uses(): number
}

export interface Feed {
  /** Reads a session in such a way that its next change is told. The errors are those of `SessionStore.read`. */
  read(id: SessionId): Promise<Tracked<Found>>
  readRevocations(tag: string): Promise<Tracked<Revocations | { readonly is: 'lost' }>>
  status(): FeedStatus
  /** Ends every line. Reads under way are answered or fail. May be called twice. */
  close(): Promise<void>
}

export interface Tracked<T> {
  readonly found: T
  /** The line that tells of the next change. Absent: there is none now, and the answer must not be kept. */
  readonly line?: Line
}

/**
 * One unbroken way on which changes arrive: a tracked connection to one primary, a series of polls, an open file. What was
 * read over it may be served only while its last answered fence is young: every change that was acknowledged before that
 * fence was asked has been told to the listener. A way that broke comes back as another line.
 */
export interface Line {
  /**
   * When the last answered fence was asked, on the monotonic clock. `-Infinity` before the first, and for ever once the
   * line is over. `Infinity` where no change can be missed (`own`).
   */
  readonly fencedMonotonicMs: number
  /** The same moment on the wall clock. */
  readonly fencedWallMs: number
  /** `probe` only: asks now, synchronously, and tells the listener. After it, what the listener did not void is current. */
  probe?(): void
}

/** For `health()` and metrics. */
export interface FeedStatus {
  readonly lines: readonly { readonly name: string; readonly isOpen: boolean; readonly fenceAgeMs: number }[]
  /** Why nothing, or not everything, can be kept. Never a secret. */
  readonly warnings: readonly string[]
}
