import type { Runtime } from '../../internal/runtime.ts'
import { fault, faultOf, isBusy } from './faults.ts'

/** Longest that one attempt may hold up the event loop while another process has the lock. `PRAGMA busy_timeout`. */
export const BUSY_TIMEOUT_MS = 10

// A loaded queue gives way after this much work: to the event loop, and for as long as another process needs to find
// the lock free. SQLite's lock knows no queue; without the pause one process can starve the others.
const TURN_MS = 10
const PAUSE_MS = 3
const BACKOFF_MS = [4, 8, 16] as const

interface Waiting {
  /** True when it was answered; false when the lock was taken. */
  readonly attempt: () => boolean
  readonly giveUp: () => void
  readonly untilMs: number
}

/**
 * Runs attempts that need a lock one at a time, in the order of the calls, each until it gets the lock or its deadline
 * passes. The drivers are synchronous, so waiting for the lock inside SQLite would stop every other request: only the
 * head of the queue knocks, for a few milliseconds, and then waits outside.
 */
export class Turns {
  readonly #runtime: Runtime
  readonly #deadlineMs: number
  readonly #queue: Waiting[] = []
  #refusals = 0

  constructor(runtime: Runtime, deadlineMs: number) {
    this.#runtime = runtime
    this.#deadlineMs = deadlineMs
  }

  /**
   * What `attempt` returns. An attempt that throws "busy" must have left nothing behind; it is made again.
   *
   * @throws CountersignError `ERR_STORE_TIMEOUT` with `retryable: true` when the lock was not had within the deadline.
   */
  run<T>(attempt: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const tryOnce = () => {
        try {
          resolve(attempt())
        } catch (error) {
          if (isBusy(error)) return false
          reject(faultOf(error))
        }
        return true
      }
      if (this.#queue.length === 0 && tryOnce()) return
      this.#queue.push({
        attempt: tryOnce,
        giveUp: () =>
          reject(
            fault('ERR_STORE_TIMEOUT', 'another process held the lock of the database for too long', undefined, true),
          ),
        untilMs: this.#runtime.clock.monotonicMs() + this.#deadlineMs,
      })
      if (this.#queue.length === 1) this.#wait()
    })
  }

  #wait(): void {
    const { clock, random, timers } = this.#runtime
    const backoffMs = BACKOFF_MS[Math.min(this.#refusals, BACKOFF_MS.length - 1)]!
    this.#refusals++
    // Half fixed, half chance, so that processes that were refused together do not come back together.
    const jitteredMs = backoffMs * (0.5 + random(1)[0]! / 255)
    const leftMs = Math.max(0, this.#queue[0]!.untilMs - clock.monotonicMs())
    keepAlive(timers.setTimeout(() => this.#serve(), Math.min(jitteredMs, leftMs)))
  }

  #serve(): void {
    const { clock, timers } = this.#runtime
    const startedMs = clock.monotonicMs()
    while (this.#queue.length > 0) {
      // The attempt comes first: a call whose time ran out while this process was busy itself is still answered.
      if (!this.#queue[0]!.attempt()) {
        this.#giveUpExpired()
        if (this.#queue.length > 0) this.#wait()
        else this.#refusals = 0
        return
      }
      this.#refusals = 0
      this.#queue.shift()
      if (this.#queue.length > 0 && clock.monotonicMs() - startedMs >= TURN_MS) {
        keepAlive(timers.setTimeout(() => this.#serve(), PAUSE_MS))
        return
      }
    }
  }

  /** One refusal speaks for all: whoever has no time left is told without knocking again. The oldest are in front. */
  #giveUpExpired(): void {
    const nowMs = this.#runtime.clock.monotonicMs()
    while (this.#queue.length > 0 && this.#queue[0]!.untilMs <= nowMs) this.#queue.shift()!.giveUp()
  }
}

/** A write that waits for its turn is work under way: unlike other timers, this one keeps the process alive. */
function keepAlive(timer: unknown): void {
  ;(timer as { ref?: () => void } | undefined)?.ref?.()
}
