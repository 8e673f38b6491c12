import { type Clock, elapsedMs, type Moment } from '../../internal/runtime.ts'
import type { SessionId } from '../../session/ids.ts'
import type { FeedListener, Line } from '../contract.ts'
import type { Row } from './driver.ts'
import { MOST_CHANGES } from './statements.ts'

/** After a pause longer than this nothing is kept that could still be served: copies are 30 s old at most. */
const LONGEST_PAUSE_MS = 30_000

interface Base {
  /** What the server had committed. */
  readonly snapshot: string
  /** Up to where the log had been written when the snapshot had been taken. */
  readonly written: bigint
  readonly marks: number
}

/**
 * A series of polls of one server, each telling what was committed since one before it, until one of them cannot say.
 * `docs/design/0011-near-cache-on-sql.md` has the reasoning.
 */
export class ChangesLine implements Line {
  fencedMonotonicMs = Number.NEGATIVE_INFINITY
  fencedWallMs = Number.NEGATIVE_INFINITY
  readonly #listener: FeedListener
  readonly #clock: Clock
  readonly #server: string
  /** Since when the next poll asks. `undefined` until the first snapshot is known to survive a crash. */
  #base: Base | undefined
  /** Later ones, whose log has not been on the disk yet. */
  readonly #pending: Base[] = []
  #isOver = false

  /** @param row - The answer of a poll, which is the first of this line. */
  constructor(listener: FeedListener, clock: Clock, row: Row) {
    this.#listener = listener
    this.#clock = clock
    this.#server = serverOf(row)
  }

  /** Whether what is read from now on is told of. */
  get isOpen(): boolean {
    return this.#base !== undefined && !this.#isOver
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get fenceAgeMs(): number {
    return elapsedMs(this.#clock, { monotonicMs: this.fencedMonotonicMs, wallMs: this.fencedWallMs })
  }

  /** What the next poll is to ask since; `null`: nothing to tell yet. */
  get since(): string | null {
    return this.#base?.snapshot ?? null
  }

  /** Whether an answer continues this line. If not, something may have been missed. */
  continues(row: Row, asked: Moment): boolean {
    const { marks } = row as { marks: number }
    if (this.#isOver || serverOf(row) !== this.#server) return false
    const base = this.#base ?? this.#pending[0]
    // What the mark before the last saw may be deleted; whoever saw that mark has seen it.
    if (base && (marks < base.marks || marks > base.marks + 1)) return false
    if (this.#base && this.#pauseBefore(asked) > LONGEST_PAUSE_MS) return false
    return (row.changes as unknown[]).length <= MOST_CHANGES
  }

  /** Tells what an answer says, and renews the lease. Call it for each answer, in the order of the questions. */
  take(row: Row, asked: Moment): void {
    for (const [kind, keys] of row.changes as [string, string[]][]) {
      for (const key of keys) {
        if (kind === 'session') this.#listener.sessionChanged(key as SessionId)
        else this.#listener.revocationsChanged(key)
      }
    }
    const { snapshot, written, marks } = row as { snapshot: string; written: string; marks: number }
    this.#pending.push({ snapshot, written: BigInt(written), marks })
    const flushed = BigInt(row.flushed as string)
    // A crash forgets transactions that are not on the disk yet, and gives their numbers to others: a snapshot may be asked
    // since only when everything that it saw is.
    while (this.#pending.length > 0 && this.#pending[0]!.written <= flushed) this.#base = this.#pending.shift()
    if (!this.#base) return
    this.fencedMonotonicMs = asked.monotonicMs
    this.fencedWallMs = asked.wallMs
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    // Told while it still says when it was fenced.
    this.#listener.reset(this)
    this.fencedMonotonicMs = Number.NEGATIVE_INFINITY
    this.fencedWallMs = Number.NEGATIVE_INFINITY
  }

  #pauseBefore(asked: Moment): number {
    return Math.max(asked.monotonicMs - this.fencedMonotonicMs, asked.wallMs - this.fencedWallMs)
  }
}

/** Another one after a restart, a failover, or when the store was emptied. */
function serverOf(row: Row): string {
  return `${String(row.server)} ${String(row.marker)}`
}
