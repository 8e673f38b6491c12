import type { Runtime } from '../../internal/runtime.ts'

/** A call that waits. */
export interface Waiting {
  readonly dueMs: number
  readonly expire: () => void
  previous: Waiting | undefined
  next: Waiting | undefined
}

/** A timer that fires later than this was held up by this process, not by whoever is asked. */
const STALL_MS = 100

/**
 * A deadline for any number of calls on a single timer: all wait equally long, so the one that began first is due
 * first, and a call that ends leaves the line without touching the timer. A timer per call would cost more than the
 * call itself (`docs/design/0006-redis-topologies.md`).
 */
export class Deadlines {
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>
  readonly #afterMs: number
  #first: Waiting | undefined
  #last: Waiting | undefined
  #timer: unknown
  #armed = false
  #whenIdle: (() => void)[] = []

  constructor(runtime: Pick<Runtime, 'clock' | 'timers'>, afterMs: number) {
    this.#runtime = runtime
    this.#afterMs = afterMs
  }

  /** The promise's outcome, or what `late` makes of it when the deadline comes first. */
  within<T>(promise: Promise<T>, late: () => Error): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting = this.enter(this.#runtime.clock.monotonicMs(), () => reject(late()))
      promise.then(
        (value) => {
          this.leave(waiting)
          resolve(value)
        },
        (error) => {
          this.leave(waiting)
          reject(error)
        },
      )
    })
  }

  /**
   * For whoever has a promise already: one more costs. `leave` when the outcome is there.
   *
   * @param nowMs - Of the monotonic clock.
   * @param expire - Called when the deadline comes first.
   */
  enter(nowMs: number, expire: () => void): Waiting {
    const dueMs = nowMs + this.#afterMs
    const waiting: Waiting = { dueMs, expire, previous: this.#last, next: undefined }
    if (this.#last) this.#last.next = waiting
    else this.#first = waiting
    this.#last = waiting
    if (!this.#armed) this.#arm(this.#afterMs)
    return waiting
  }

  leave(waiting: Waiting): void {
    const { previous, next } = waiting
    if (previous) previous.next = next
    else if (this.#first === waiting) this.#first = next
    else return // expired before
    if (next) next.previous = previous
    else this.#last = previous
    waiting.previous = undefined
    waiting.next = undefined
    if (!this.#first) for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  #arm(ms: number): void {
    this.#armed = true
    const firesAtMs = this.#runtime.clock.monotonicMs() + ms
    this.#timer = this.#runtime.timers.setTimeout(() => this.#fire(firesAtMs), ms)
  }

  #fire(firesAtMs: number): void {
    this.#armed = false
    const nowMs = this.#runtime.clock.monotonicMs()
    // After a stall the answers are often there and only unread: they are read before the next timer fires.
    if (this.#first && nowMs - firesAtMs > STALL_MS) {
      this.#arm(1)
      return
    }
    while (this.#first && this.#first.dueMs <= nowMs) {
      const { expire } = this.#first
      this.leave(this.#first)
      expire()
    }
    if (this.#first) this.#arm(Math.max(1, this.#first.dueMs - nowMs))
  }

  /** Resolves when no call waits any more, which the deadline bounds, and stops the timer. */
  async idle(): Promise<void> {
    if (this.#first) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
    this.#runtime.timers.clearTimeout(this.#timer)
    this.#armed = false
  }
}
