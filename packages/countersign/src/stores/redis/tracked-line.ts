import { CountersignError } from '../../internal/errors.ts'
import { type Clock, elapsedMs, type Moment, momentOf, type Runtime } from '../../internal/runtime.ts'
import type { Line } from '../contract.ts'
import { Deadlines } from '../shared/deadlines.ts'
import type { Argument, Reply, Script } from './executor.ts'
import { lostFault, passesSoon, replyFault, timeoutFault } from './faults.ts'
import type { NodeRedisErrors, TrackedClient } from './node-redis.ts'

/** Fences are this far apart while the line is used: a copy's lease is renewed five times in its second. */
export const FENCE_EVERY_MS = 200
/** A fence that takes longer puts the line in doubt, and reads go elsewhere. */
const DOUBT_AFTER_MS = 400
/** After this long without an answer the line is given up: nothing on it could be served any more anyway. */
const GIVE_UP_AFTER_MS = 1_000
/** Connecting and its handshake. */
const CONNECT_WITHIN_MS = 2_000
/** Longest wait for a read; there is another connection to try. */
const READ_WITHIN_MS = 500
/** A timer that is later than this was held up by this process, and what it waits for may be there unread. */
const STALL_MS = 100
/** For what is read as text, instead of the buffers that the client gives. */
const TEXTS = { typeMapping: {} }

/** What a fence is made of. The line as a whole has a deadline, and its fences have none of their own. */
export interface LineRequests {
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply>
  send(command: readonly [string, ...Argument[]]): Promise<Reply>
}

/**
 * What proves that the server at the other end is the one whose answers may be kept: asked every 200 ms, behind a check
 * that tracking is on. Answers with the reason when it is not that server now; throws when it did not say.
 */
export type Fence = (requests: LineRequests, asked: Moment) => Promise<string | undefined>

/** Who a line reports to. Called in the order of the bytes, before any reply that comes after them is seen. */
export interface LineOwner {
  /** This key is another one now. */
  changed(key: string): void
  /** All that was read over the line is void. */
  reset(line: TrackedLine): void
  /** It is over, for ever, after a reset. `refused`: the server does not do what is needed. */
  ended(line: TrackedLine, why: CountersignError, refused: boolean): void
}

export interface LineParts {
  readonly client: TrackedClient
  readonly errors: NodeRedisErrors
  readonly fence: Fence
  readonly owner: LineOwner
  readonly runtime: Runtime
  /** What the fences are timed by for whoever keeps copies. */
  readonly clock: Clock
}

/**
 * One tracked connection to one primary, from its connecting to its end. The server tells on it when a key changes that
 * was read over it (`CLIENT TRACKING ON` in default mode: RESP 3, no BCAST, no NOLOOP, no REDIRECT), in order with the
 * replies: so an answered fence proves that everything which was acknowledged before it was asked has been told.
 */
export class TrackedLine implements Line, LineRequests {
  fencedMonotonicMs = Number.NEGATIVE_INFINITY
  fencedWallMs = Number.NEGATIVE_INFINITY
  readonly #parts: LineParts
  readonly #reads: Deadlines
  #isOver = false
  /** When the fence was sent that has not been answered yet. */
  #askedAt: Moment | undefined
  /** What the last fence said against this server. */
  #whyNot: string | undefined = 'connecting'

  constructor(parts: LineParts) {
    this.#parts = parts
    this.#reads = new Deadlines(parts.runtime, READ_WITHIN_MS)
    const { client, owner } = parts
    client.on('invalidate', (key) => {
      if (this.#isOver) return
      if (key === null) owner.reset(this)
      else owner.changed(String(key))
    })
    client.on('error', (error) => this.#failed(error))
    this.#expectAnswer(CONNECT_WITHIN_MS)
    client.connect().then(
      () => {
        this.#askedAt = undefined
        this.fence()
      },
      (error: unknown) => this.#failed(error),
    )
  }

  /** Whether reads may go over it: proven, and in no doubt. */
  get isOpen(): boolean {
    if (this.#isOver || this.#whyNot !== undefined) return false
    return this.#askedAt === undefined || elapsedMs(this.#parts.runtime.clock, this.#askedAt) <= DOUBT_AFTER_MS
  }

  /** Why it is not open, where the server is not the right one. */
  get whyNot(): string | undefined {
    return this.#whyNot
  }

  get fenceAgeMs(): number {
    const fenced = { monotonicMs: this.fencedMonotonicMs, wallMs: this.fencedWallMs }
    return elapsedMs(this.#parts.clock, fenced)
  }

  /** Asks for the next proof, unless one is on its way. */
  fence(): void {
    const { client, clock, fence } = this.#parts
    if (this.#isOver || this.#askedAt || !client.isReady) return
    const asked = momentOf(clock)
    this.#expectAnswer(GIVE_UP_AFTER_MS)
    // One behind the other: the fence proves something only on a connection that is tracked.
    const tracked = client.sendCommand(['CLIENT', 'TRACKINGINFO'], TEXTS)
    const proven = fence(this, asked)
    Promise.all([tracked, proven]).then(
      ([info, whyNot]) => this.#answered(asked, isTracking(info), whyNot),
      (error: unknown) => this.#unanswered(error),
    )
  }

  #answered(asked: Moment, isTracking: boolean, whyNot: string | undefined): void {
    if (this.#isOver) return
    this.#askedAt = undefined
    if (!isTracking) {
      // Something has reset the connection, and nothing was told on it since; or tracking was accepted and not done.
      const wasTracked = this.fencedMonotonicMs > Number.NEGATIVE_INFINITY
      this.#end(misconfigured('the server does not track what this connection reads'), !wasTracked)
      return
    }
    if (whyNot !== undefined && this.#whyNot === undefined) this.#parts.owner.reset(this)
    this.#whyNot = whyNot
    if (whyNot !== undefined) return
    this.fencedMonotonicMs = asked.monotonicMs
    this.fencedWallMs = asked.wallMs
  }

  /** A reply that is an error says nothing about what was read; the next fence may do better. */
  #unanswered(error: unknown): void {
    if (this.#isOver) return
    this.#askedAt = undefined
    const fault = error instanceof CountersignError ? error : this.#faultOf(error)
    // A connection that broke ends by itself.
    if (fault.code === 'ERR_STORE_MISCONFIGURED') this.#end(fault, true)
  }

  /** Gives the line up when the answer does not come. */
  #expectAnswer(withinMs: number): void {
    const { clock, timers } = this.#parts.runtime
    const asked = momentOf(clock)
    this.#askedAt = asked
    const look = (firesAtMs: number) => {
      if (this.#isOver || this.#askedAt !== asked) return
      const nowMs = clock.monotonicMs()
      if (nowMs - firesAtMs > STALL_MS) wait(STALL_MS, nowMs)
      else this.#end(timeoutFault(), false)
    }
    const wait = (ms: number, nowMs: number) => timers.setTimeout(() => look(nowMs + ms), ms, 'background')
    wait(withinMs, asked.monotonicMs)
  }

  send(command: readonly [string, ...Argument[]]): Promise<Reply> {
    return this.#named(this.#parts.client.sendCommand(command))
  }

  run({ sha1, source }: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    const { client } = this.#parts
    const rest = [String(keys.length), ...keys, ...args]
    const reply = client.sendCommand(['EVALSHA', sha1, ...rest]).catch((error: unknown) => {
      if (!this.#isReply(error) || !error.message.startsWith('NOSCRIPT')) throw error
      return client.sendCommand(['EVAL', source, ...rest])
    })
    return this.#named(reply)
  }

  /** A request whose keys are tracked from then on. Fails soon, because there is another connection to try. */
  read(command: readonly [string, ...Argument[]]): Promise<Reply> {
    return this.#reads.within(this.send(command), timeoutFault)
  }

  #named(reply: Promise<unknown>): Promise<Reply> {
    return reply.catch((error: unknown) => {
      throw this.#faultOf(error)
    }) as Promise<Reply>
  }

  #isReply(error: unknown): error is Error {
    return error instanceof this.#parts.errors.ErrorReply
  }

  #faultOf(error: unknown): CountersignError {
    return this.#isReply(error) ? replyFault(error) : lostFault(error)
  }

  #failed(error: unknown): void {
    this.#end(this.#faultOf(error), this.#isReply(error) && !passesSoon(error))
  }

  #end(why: CountersignError, refused: boolean): void {
    if (!this.#cut()) return
    this.#parts.owner.ended(this, why, refused)
  }

  /** Ends it from here: reads under way fail. */
  async close(): Promise<void> {
    if (this.#cut()) await this.#reads.idle()
  }

  #cut(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    // While it still says when it was last fenced.
    this.#parts.owner.reset(this)
    this.fencedMonotonicMs = Number.NEGATIVE_INFINITY
    this.fencedWallMs = Number.NEGATIVE_INFINITY
    this.#parts.client.destroy()
    return true
  }
}

/** Plain tracking of what this connection reads, told on this connection. Anything else leaves changes out. */
function isTracking(info: unknown): boolean {
  const { flags, redirect } = info as { flags?: unknown; redirect?: unknown }
  return Array.isArray(flags) && flags.length === 1 && flags[0] === 'on' && redirect === 0
}

function misconfigured(problem: string): CountersignError {
  return new CountersignError('ERR_STORE_MISCONFIGURED', `Redis: ${problem}`, { store: 'redis' })
}
