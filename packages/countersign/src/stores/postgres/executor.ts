import type { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { Deadlines } from '../shared/deadlines.ts'
import type { Connections } from './connections.ts'
import { type PgClient, type Row, types } from './driver.ts'
import { busyFault, closedFault, faultOf, offlineFault, timeoutFault, verdictOf } from './faults.ts'
import type { Statement } from './statements.ts'
import { SubjectQueue } from './subject-queue.ts'

/** A copy is served for a second at most after a poll was sent: a later answer is of no use. */
const POLL_WITHIN_MS = 1_000
/** Tries of a statement that lost against other transactions. */
const TRIES = 4

/**
 * All that the stores ask for. One call is one round trip and one transaction, and ends within the deadline with an
 * answer or a `CountersignError`: with `retryable` when nothing was executed, without it when the outcome is unknown.
 */
export interface Requests {
  /** @param tag - Of the subject that the statement writes to: its writes go one at a time. */
  run(statement: Statement, values: readonly unknown[], tag?: string): Promise<readonly Row[]>
}

interface Call {
  /** In use now. */
  client: PgClient | undefined
  expired: boolean
  tries: number
  /** For others that write to the same subject. */
  waits: boolean
}

export class PostgresExecutor implements Requests {
  readonly #connections: Connections
  readonly #deadlines: Deadlines
  readonly #runtime: Runtime
  readonly #polls: Deadlines
  readonly #prepared: boolean
  readonly #subjects = new SubjectQueue()
  #isUp = false
  #onDown: () => void = () => undefined
  readonly #onLost = new Set<() => void>()
  #closed = false

  constructor(connections: Connections, deadlineMs: number, prepared: boolean, runtime: Runtime) {
    this.#connections = connections
    this.#deadlines = new Deadlines(runtime, deadlineMs)
    this.#polls = new Deadlines(runtime, Math.min(deadlineMs, POLL_WITHIN_MS))
    this.#runtime = runtime
    this.#prepared = prepared
  }

  /** Whether the server answered the last time it was asked. */
  get isUp(): boolean {
    return this.#isUp && !this.#closed
  }

  /** Calls back when the server stops answering. */
  onDown(listener: () => void): void {
    this.#onDown = listener
  }

  run(statement: Statement, values: readonly unknown[], tag?: string): Promise<readonly Row[]> {
    const work = this.#asking(statement, values)
    return this.#within(this.#deadlines, (call) => this.#inTurn(call, statement.reads, tag, work))
  }

  /** A question that is not asked again: a connection that breaks with it is news. Ends within a second. */
  poll(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#within(this.#polls, (call) => this.#attempts(call, false, this.#asking(statement, values)))
  }

  #asking({ name, text }: Statement, values: readonly unknown[]) {
    const query = { text, values, types, ...(this.#prepared && { name }) }
    return async (client: PgClient) => (await client.query(query)).rows
  }

  /** Several statements on one connection, for the start. On any failure the connection is closed. */
  session<T>(work: (client: PgClient) => Promise<T>, withinMs: number): Promise<T> {
    const deadlines = new Deadlines(this.#runtime, withinMs)
    const statements = async (client: PgClient) => {
      try {
        return await work(client)
      } catch (error) {
        throw new SessionFailed(error)
      }
    }
    const done = this.#within(deadlines, (call) => this.#attempts(call, false, statements))
    // Its timer would keep the process alive for the rest of the time.
    return done.finally(() => deadlines.idle())
  }

  #within<T>(deadlines: Deadlines, work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closedFault())
    const call: Call = { client: undefined, expired: false, tries: 0, waits: false }
    return deadlines.within(work(call), () => this.#late(call))
  }

  async #inTurn<T>(call: Call, reads: boolean, tag: string | undefined, work: (client: PgClient) => Promise<T>) {
    if (tag === undefined) return this.#attempts(call, reads, work)
    call.waits = true
    const leave = await this.#subjects.enter(tag)
    call.waits = false
    try {
      if (call.expired) throw busyFault()
      return await this.#attempts(call, reads, work)
    } finally {
      leave()
    }
  }

  async #attempts<T>(call: Call, reads: boolean, work: (client: PgClient) => Promise<T>): Promise<T> {
    for (;;) {
      const client = await this.#acquire()
      if (call.expired) {
        this.#connections.release(client, false)
        throw busyFault()
      }
      call.client = client
      call.tries++
      try {
        const result = await work(client)
        if (!call.expired) this.#giveBack(call, false)
        this.#isUp = true
        return result
      } catch (thrown) {
        const isSession = thrown instanceof SessionFailed
        const error = isSession ? thrown.cause : thrown
        const verdict = verdictOf(error)
        if (!call.expired) this.#giveBack(call, isSession || verdict.breaks)
        if (verdict.isLost) this.lost()
        // A question may be asked again on a new connection; whether a write was executed nobody knows.
        const again = verdict.passes || (verdict.isLost && reads && call.tries === 1)
        if (!again || isSession || call.tries >= TRIES || call.expired || this.#closed) throw faultOf(error)
        await this.#pause(5 * 2 ** call.tries)
        if (call.expired || this.#closed) throw faultOf(error)
      }
    }
  }

  async #acquire(): Promise<PgClient> {
    try {
      return await this.#connections.acquire()
    } catch (error) {
      this.down()
      throw error
    }
  }

  #giveBack(call: Call, isBroken: boolean): void {
    const { client } = call
    call.client = undefined
    if (client) this.#connections.release(client, isBroken)
  }

  /**
   * The connection is closed: an answer that came later would be taken for that of the next call. The server notices, or
   * stops at its `statement_timeout`.
   */
  #late(call: Call): CountersignError | Error {
    call.expired = true
    if (call.client) {
      this.#giveBack(call, true)
      this.down()
      return timeoutFault()
    }
    if (call.waits || call.tries > 0 || this.#connections.isExhausted()) return busyFault()
    this.down()
    return offlineFault()
  }

  /** The server did not answer, or a connection to it broke. */
  down(): void {
    this.#isUp = false
    if (!this.#closed) this.#onDown()
  }

  /** A connection broke, with a call under way or as the last one. */
  lost(): void {
    this.down()
    for (const listener of this.#onLost) listener()
  }

  /** Calls back when a connection has broken, until the function returned is called. */
  onLost(listener: () => void): () => void {
    this.#onLost.add(listener)
    return () => this.#onLost.delete(listener)
  }

  #pause(ms: number): Promise<void> {
    const { timers, random } = this.#runtime
    const jitteredMs = ms * (0.5 + random(1)[0]! / 255)
    return new Promise((resolve) => timers.setTimeout(resolve, jitteredMs))
  }

  /** Lets the calls under way finish, at most for the deadline. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([this.#deadlines.idle(), this.#polls.idle()])
    this.#connections.close()
  }
}

/** Says that the connection may be left in the middle of a transaction. */
class SessionFailed extends Error {
  constructor(cause: unknown) {
    super('', { cause })
  }
}
