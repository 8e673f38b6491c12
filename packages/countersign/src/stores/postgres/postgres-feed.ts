import { CountersignError } from '../../internal/errors.ts'
import { type Clock, type Moment, momentOf, type Runtime } from '../../internal/runtime.ts'
import type { SessionId } from '../../session/ids.ts'
import type {
  ChangeFeed,
  Feed,
  FeedListener,
  FeedStatus,
  Floor,
  RevocationStore,
  SessionStore,
  Tracked,
} from '../contract.ts'
import { WhileUsed } from '../shared/while-used.ts'
import { ChangesLine } from './changes-line.ts'
import type { Row } from './driver.ts'
import { closedFault } from './faults.ts'

/** Polls are this far apart while copies are used: a copy's lease is renewed five times in its second. */
const POLL_EVERY_MS = 200

export interface PostgresFeedParts {
  readonly sessions: Pick<SessionStore, 'read'>
  readonly revocations: Pick<RevocationStore, 'read'>
  /** What was committed since a snapshot, and the floor. `undefined`: the store was emptied. */
  changes(snapshot: string | null): Promise<{ readonly row: Row; readonly floor: Floor } | undefined>
  /** Calls back when a connection has broken, until the function returned is called. */
  onLost(listener: () => void): () => void
  readonly runtime: Runtime
}

/** Changes by polling the table `changes`: see `docs/design/0011-near-cache-on-sql.md`. */
export function postgresFeed(parts: PostgresFeedParts): ChangeFeed {
  return { mode: 'poll', open: (listener, clock) => new PostgresFeed(parts, listener, clock) }
}

class PostgresFeed implements Feed {
  readonly #parts: PostgresFeedParts
  readonly #listener: FeedListener
  readonly #clock: Clock
  readonly #forget: () => void
  readonly #polls: WhileUsed
  #line: ChangesLine | undefined
  #why = 'not used yet'
  #isAsking = false
  #isClosed = false

  constructor(parts: PostgresFeedParts, listener: FeedListener, clock: Clock) {
    this.#parts = parts
    this.#listener = listener
    this.#clock = clock
    this.#polls = new WhileUsed({
      everyMs: POLL_EVERY_MS,
      timers: parts.runtime.timers,
      uses: () => listener.uses(),
      turn: () => {
        if (!this.#isAsking) void this.#poll()
      },
    })
    this.#forget = parts.onLost(() => this.#end('a connection broke'))
  }

  read(id: SessionId) {
    return this.#tracked(() => this.#parts.sessions.read(id))
  }

  readRevocations(tag: string) {
    return this.#tracked(() => this.#parts.revocations.read(tag))
  }

  /** The line is that of the moment before the read: what the read does not see yet, a later poll of it tells. */
  async #tracked<T>(read: () => Promise<T>): Promise<Tracked<T>> {
    if (this.#isClosed) throw closedFault()
    this.#polls.use()
    const line = this.#line?.isOpen ? this.#line : undefined
    const found = await read()
    return line?.isOpen ? { found, line } : { found }
  }

  /** One at a time, so that answers come in the order of the questions. */
  async #poll(): Promise<void> {
    this.#isAsking = true
    const asked = momentOf(this.#clock)
    try {
      const answer = await this.#parts.changes(this.#line?.since ?? null)
      if (this.#isClosed) return
      if (answer) this.#take(answer, asked)
      else this.#end('the store was emptied')
    } catch (error) {
      const { code, retryable, message } = error as CountersignError
      if (!(error instanceof CountersignError)) this.#end('the server was not understood')
      // Nothing was sent, because all connections were in use: that says nothing about the server.
      else if (!(code === 'ERR_STORE_TIMEOUT' && retryable)) this.#end(message)
    } finally {
      this.#isAsking = false
    }
  }

  #take({ row, floor }: { readonly row: Row; readonly floor: Floor }, asked: Moment): void {
    if (this.#line && !this.#line.continues(row, asked)) this.#end('the server changed, or more than can be told')
    this.#line ??= new ChangesLine(this.#listener, this.#clock, row)
    this.#line.take(row, asked)
    this.#listener.floorRead(floor, asked)
  }

  #end(why: string): void {
    this.#why = why
    const line = this.#line
    this.#line = undefined
    line?.end()
  }

  status(): FeedStatus {
    const line = this.#line
    const isOpen = line?.isOpen ?? false
    const fenceAgeMs = line?.fenceAgeMs ?? Number.POSITIVE_INFINITY
    const why = line ? 'connecting' : this.#why
    return { lines: [{ name: 'postgres', isOpen, fenceAgeMs }], warnings: isOpen ? [] : [why] }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#polls.end()
    this.#forget()
    this.#end('closed')
  }
}
