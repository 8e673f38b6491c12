import type { Clock } from '../../internal/runtime.ts'
import type { SessionId } from '../../session/ids.ts'
import type { ChangeFeed, Feed, FeedListener, Line, RevocationStore, SessionStore } from '../contract.ts'

export interface SqliteFeedParts {
  readonly sessions: Pick<SessionStore, 'read'>
  readonly revocations: Pick<RevocationStore, 'read'>
  /** Opens the file, if it is not open. The faults are those of a read. */
  open(): Promise<unknown>
  /**
   * `PRAGMA data_version` of the connection that reads: another number after every commit of any other connection, and
   * the same after its own. `undefined` while the file is not open. Synchronous; may throw.
   */
  version(): number | undefined
}

/** What one step has changed. */
export interface StepChanges {
  readonly tag: string
  readonly ids: Iterable<SessionId>
  readonly hasRevocations: boolean
}

/**
 * Changes of other processes are asked for at each use of a copy, and void all of them: SQLite says that something was
 * committed, not what. Changes over this store's own connection are told one by one, in the turn that commits them.
 * `docs/design/0011-near-cache-on-sql.md`.
 */
export class SqliteFeed implements ChangeFeed {
  readonly mode = 'probe'
  readonly #parts: SqliteFeedParts
  readonly #lines = new Map<FeedListener, ProbeLine>()

  constructor(parts: SqliteFeedParts) {
    this.#parts = parts
  }

  open(listener: FeedListener, clock: Clock): Feed {
    const { sessions, revocations, open, version } = this.#parts
    const line = new ProbeLine(listener, clock, version)
    this.#lines.set(listener, line)
    // Looked at before the read and in the turn that asks for it, so that what others have changed before does not void it.
    const tracked = async <T>(read: () => Promise<T>) => {
      if (!line.isOpen) await open()
      line.probe()
      const isTold = line.isOpen
      const found = await read()
      return isTold ? { found, line } : { found }
    }
    return {
      read: (id) => tracked(() => sessions.read(id)),
      readRevocations: (tag) => tracked(() => revocations.read(tag)),
      status: () => line.status(),
      close: async () => this.#end(listener, line),
    }
  }

  /** Called by each write of this store, in the turn that commits it; also for one that failed, which changes nothing. */
  changed({ tag, ids, hasRevocations }: StepChanges): void {
    for (const listener of this.#lines.keys()) {
      for (const id of ids) listener.sessionChanged(id)
      if (hasRevocations) listener.revocationsChanged(tag)
    }
  }

  /** When the store is closed. */
  end(): void {
    for (const [listener, line] of this.#lines) this.#end(listener, line)
  }

  #end(listener: FeedListener, line: ProbeLine): void {
    this.#lines.delete(listener)
    line.end()
  }
}

/** The open file, as one listener has seen it last. */
class ProbeLine implements Line {
  fencedMonotonicMs = Number.NEGATIVE_INFINITY
  fencedWallMs = Number.NEGATIVE_INFINITY
  readonly #listener: FeedListener
  readonly #clock: Clock
  readonly #read: () => number | undefined
  /** What everything that is kept is at least as new as. `undefined`: nothing is kept. */
  #version: number | undefined
  #why: string | undefined = 'not used yet'
  #isOver = false

  constructor(listener: FeedListener, clock: Clock, read: () => number | undefined) {
    this.#listener = listener
    this.#clock = clock
    this.#read = read
  }

  get isOpen(): boolean {
    return this.#version !== undefined
  }

  probe(): void {
    if (this.#isOver) return
    const monotonicMs = this.#clock.monotonicMs()
    const wallMs = this.#clock.nowMs()
    let version: number | undefined
    try {
      version = this.#read()
      this.#why = version === undefined ? 'the file is not open' : undefined
    } catch {
      this.#why = 'the database does not say whether it has changed'
    }
    const before = this.#version
    this.#version = version
    const isAsked = version !== undefined
    this.fencedMonotonicMs = isAsked ? monotonicMs : Number.NEGATIVE_INFINITY
    this.fencedWallMs = isAsked ? wallMs : Number.NEGATIVE_INFINITY
    // Before the first answer nothing was kept, nor is after one that failed.
    if (before !== undefined && before !== version) this.#listener.reset(this)
  }

  status() {
    // Its age is nothing: it is asked at each use.
    const fenceAgeMs = this.isOpen ? 0 : Number.POSITIVE_INFINITY
    const warnings = this.#why === undefined ? [] : [this.#why]
    return { lines: [{ name: 'sqlite', isOpen: this.isOpen, fenceAgeMs }], warnings }
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#version = undefined
    this.#why = 'closed'
    // Told while it still says when it was fenced.
    this.#listener.reset(this)
    this.fencedMonotonicMs = Number.NEGATIVE_INFINITY
    this.fencedWallMs = Number.NEGATIVE_INFINITY
  }
}
