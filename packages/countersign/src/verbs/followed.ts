import { type Clock, elapsedMs, type Moment, momentOf } from '../internal/runtime.ts'
import type { SessionId } from '../session/ids.ts'
import type { Refused } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Line } from '../stores/contract.ts'

/** Told about one session by the {@link Follower}. Its methods never throw. */
export interface RecordListener {
  /** First what is certain since this listener came: `Following.first`. Then each record that is another one. */
  live(record: SessionRecord): void
  /** The last call. */
  over(refused: Refused): void
  /** The store did not answer a question that this listener waits for. It goes on waiting unless it leaves. */
  failed(error: unknown): void
  /** See `FollowOn.unsure`. */
  unsure(sinceMs: number, isOverdue: boolean): void
}

/** What the store said of a live session, with the line that tells when it is something else. */
export interface Known {
  readonly record: SessionRecord
  readonly line: Line | undefined
  readonly asked: Moment
}

/**
 * Pauses before a session that something was told of is read again, by how often that was so lately. The first words are
 * heeded at once. Words that come on the heels of every read, as from a server that forgets whom it tells, must not
 * keep it busy.
 */
const PAUSES_MS = [0, 0, 10, 20, 40, 80, 160, 320, 640, 1_000] as const
/** Whoever finds something else each time is read 50 times a second at most. */
const CHANGED_PAUSE = 3
const QUIET_AFTER_MS = 2_000

/** One session that is followed, by however many. */
export class Followed {
  readonly id: SessionId
  readonly told = new Set<RecordListener>()
  /** Came after the question that is under way, if one is. */
  waiting = new Set<RecordListener>()
  known: Known | undefined
  /** The session was certainly live at that moment. */
  certain: Moment | undefined
  isReading = false
  /** Something was told since the question that is under way was asked. */
  isDoubted = false
  /** Runs until a pause is over. */
  pause: unknown
  /** Copies that are younger than that need not be read again as long as their line is good. */
  maxAgeMs = 0
  #readAt: Moment | undefined
  #words = 0

  constructor(id: SessionId) {
    this.id = id
  }

  get isEmpty(): boolean {
    return this.told.size === 0 && this.waiting.size === 0
  }

  remove(listener: RecordListener): void {
    this.told.delete(listener)
    this.waiting.delete(listener)
  }

  /** How long to wait before it is read because of something that was told. */
  pauseMs(clock: Clock): number {
    if (!this.#readAt) return 0
    const sinceMs = elapsedMs(clock, this.#readAt)
    if (sinceMs > QUIET_AFTER_MS) this.#words = 0
    return Math.max(0, PAUSES_MS[Math.min(this.#words, PAUSES_MS.length - 1)]! - sinceMs)
  }

  /** A question is asked now. Answers who waits for it. */
  ask(clock: Clock, becauseTold: boolean): Set<RecordListener> {
    this.isReading = true
    this.isDoubted = false
    this.#readAt = momentOf(clock)
    if (becauseTold) this.#words++
    const asking = this.waiting
    this.waiting = new Set()
    return asking
  }

  /** The answer: live. */
  found(known: Known, asking: Iterable<RecordListener>): void {
    const before = this.known?.record
    this.known = known
    this.certain = known.asked
    const isOther = before === undefined || !isSame(before, known.record)
    if (isOther) this.#words = Math.min(this.#words, CHANGED_PAUSE)
    // Whoever hears of it may leave, or bring somebody else.
    if (isOther) for (const listener of [...this.told]) listener.live(known.record)
    for (const listener of asking) {
      this.told.add(listener)
      listener.live(known.record)
    }
  }
}

/** Whether nothing in it is different. Steps make a new object each time, and only a few of its fields can change. */
function isSame(a: SessionRecord, b: SessionRecord): boolean {
  return (
    a === b ||
    (a.version === b.version &&
      a.generation === b.generation &&
      a.lastSeenAtMs === b.lastSeenAtMs &&
      a.idleAtMs === b.idleAtMs &&
      a.confirmedAtMs === b.confirmedAtMs &&
      a.handedOutAtMs === b.handedOutAtMs &&
      a.replays === b.replays &&
      a.rolesGeneration === b.rolesGeneration &&
      sameTexts(a.roles, b.roles) &&
      sameTexts(a.pendingRoles ?? [], b.pendingRoles ?? []))
  )
}

/** Whether two lists name the same, in the same order. */
export function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, n) => text === b[n])
}
