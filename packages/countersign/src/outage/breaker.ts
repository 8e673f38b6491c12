import { CountersignError } from '../internal/errors.ts'
import type { Runtime } from '../internal/runtime.ts'

/** Calls in a row without an answer that make an outage. */
const FAULTS_IN_A_ROW = 5
/** How long nothing has been answered by then: a connection that breaks fails all its calls in one moment, and is back in the next. */
const SILENT_FOR_MS = 1_000
/** A call that was made longer than this after the last fault begins another row. */
const APART_MS = 10_000
/** How often somebody is let through to see whether the store is back. */
const PROBE_EVERY_MS = 250
/** A check asks for two things at once: the record, and the floor. */
const CALLS_PER_PROBE = 2

/** For `health()` and metrics. */
export interface BreakerHealth {
  /**
   * `closed`: calls go to the store. `open`: they fail at once. `half_open`: the next one goes through, to see whether the
   * store is back; so it stays in an idle process.
   */
  readonly state: 'closed' | 'open' | 'half_open'
  /** Outages so far. */
  readonly opened: number
  /** Calls that failed at once. */
  readonly refused: number
}

export interface BreakerEvents {
  /** The store has not answered for so long; `code` is the last fault. */
  opened(code: string, silentMs: number): void
  /** It answers again, after so long. */
  closed(silentMs: number, refused: number): void
}

/**
 * Spares callers the wait for a store that does not answer: after five calls in a row without an answer, over at least a
 * second, calls fail at once, and two are let through every 250 ms. Any answer ends it, also one that says no.
 *
 * Not one probe at a time: one that hangs on a dead connection would hold up the recovery until its deadline.
 * `docs/design/0010-outages.md` has the reasoning.
 */
export class Breaker {
  readonly #runtime: Pick<Runtime, 'clock'>
  readonly #on: BreakerEvents
  readonly #store: string | undefined
  /** Of the row of faults that has not ended. */
  #faults = 0
  #silentSinceMs = 0
  #lastFaultMs = Number.NEGATIVE_INFINITY
  #lastFault: CountersignError | undefined
  /** Counted, because looking at the clock for each costs more. */
  #answers = 0
  #isOpen = false
  #nextProbeMs = 0
  #probesLeft = 0
  #refusedNow = 0
  #opened = 0
  #refused = 0

  /** @param store - Its name, for the fault. */
  constructor(runtime: Pick<Runtime, 'clock'>, on: BreakerEvents, store: string | undefined) {
    this.#runtime = runtime
    this.#on = on
    this.#store = store
  }

  /**
   * Asks, or fails at once.
   *
   * @param made - What becomes of the answer, in the same promise: this is on the path of every request.
   * @throws CountersignError `ERR_STORE_UNAVAILABLE`, `retryable`, with `retryAfterMs`, while it is open.
   */
  call<T>(ask: () => Promise<T>): Promise<T>
  call<T, R>(ask: () => Promise<T>, made: (answer: T) => R): Promise<R>
  call<T, R>(ask: () => Promise<T>, made?: (answer: T) => R): Promise<T | R> {
    const askedMs = this.#runtime.clock.monotonicMs()
    if (this.#isOpen && !this.#mayProbe(askedMs)) return Promise.reject(this.#refuse(askedMs))
    const answersBefore = this.#answers
    return ask().then(
      (answer) => {
        this.answered()
        return made ? made(answer) : answer
      },
      (error: unknown) => {
        this.#failed(error, askedMs, answersBefore)
        throw error
      },
    )
  }

  #mayProbe(nowMs: number): boolean {
    if (nowMs >= this.#nextProbeMs) {
      this.#nextProbeMs = nowMs + PROBE_EVERY_MS
      this.#probesLeft = CALLS_PER_PROBE
    }
    if (this.#probesLeft === 0) return false
    this.#probesLeft--
    return true
  }

  #refuse(nowMs: number): CountersignError {
    this.#refused++
    this.#refusedNow++
    const silentS = ((nowMs - this.#silentSinceMs) / 1_000).toFixed(1)
    return new CountersignError('ERR_STORE_UNAVAILABLE', `the store has not answered for ${silentS} s: not asked`, {
      ...(this.#store !== undefined && { store: this.#store }),
      retryable: true,
      retryAfterMs: Math.max(0, this.#nextProbeMs - nowMs),
      cause: this.#lastFault,
    })
  }

  /** The store has answered somebody. */
  readonly answered = (): void => {
    this.#faults = 0
    this.#answers++
    if (!this.#isOpen) return
    this.#isOpen = false
    const silentMs = this.#runtime.clock.monotonicMs() - this.#silentSinceMs
    this.#on.closed(Math.round(silentMs), this.#refusedNow)
  }

  /** The store can perhaps be reached again: the next call finds out. */
  probeNow(): void {
    this.#nextProbeMs = Number.NEGATIVE_INFINITY
  }

  #failed(error: unknown, askedMs: number, answersBefore: number): void {
    if (!(error instanceof CountersignError)) return
    if (error.code !== 'ERR_STORE_UNAVAILABLE' && error.code !== 'ERR_STORE_TIMEOUT') return
    // A server that refuses is there, and asking it costs no wait that it does not ask for.
    if (error.answered) {
      this.answered()
      return
    }
    const nowMs = this.#runtime.clock.monotonicMs()
    if (this.#faults === 0 || askedMs - this.#lastFaultMs > APART_MS) {
      this.#faults = 0
      // Not from before the last answer.
      this.#silentSinceMs = answersBefore === this.#answers ? askedMs : nowMs
    }
    this.#faults++
    this.#lastFaultMs = nowMs
    this.#lastFault = error
    const silentMs = nowMs - this.#silentSinceMs
    if (this.#isOpen || this.#faults < FAULTS_IN_A_ROW || silentMs < SILENT_FOR_MS) return
    this.#isOpen = true
    this.#nextProbeMs = nowMs + PROBE_EVERY_MS
    this.#probesLeft = 0
    this.#refusedNow = 0
    this.#opened++
    this.#on.opened(error.code, Math.round(silentMs))
  }

  warnings(): string[] {
    return this.#isOpen
      ? [`the store does not answer: it is asked now and then, and calls fail at once (promise 6)`]
      : []
  }

  health(): BreakerHealth {
    const mayProbe = this.#probesLeft > 0 || this.#runtime.clock.monotonicMs() >= this.#nextProbeMs
    return {
      state: this.#isOpen ? (mayProbe ? 'half_open' : 'open') : 'closed',
      opened: this.#opened,
      refused: this.#refused,
    }
  }
}
