import type { Clock } from '../../internal/runtime.ts'

/** How far two quartz clocks may drift apart per millisecond, generously. */
const DRIFT = 0.001

interface Anchor {
  readonly serverMs: number
  readonly monotonicMs: number
  /** The true time of the server at `monotonicMs` is at most this far away. */
  readonly errorMs: number
}

/**
 * The time of the server: what it said last, plus what the local monotonic clock says has passed since. Before the first
 * answer it is the local wall clock; from then on it never goes back.
 */
export class ServerClock {
  readonly #clock: Clock
  #anchor: Anchor | undefined
  #latestMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  nowMs(): number {
    if (!this.#anchor) return Math.floor(this.#clock.nowMs())
    this.#latestMs = Math.max(this.#latestMs, Math.floor(this.#at(this.#anchor, this.#clock.monotonicMs())))
    return this.#latestMs
  }

  /** Before asking the server; the result goes to `learn`. */
  ask(): number {
    return this.#clock.monotonicMs()
  }

  /**
   * The server said that it was `serverMs`, at some moment since `askedAtMs`: most likely half-way. A slow answer tells
   * less than a quick one from before it, so it counts only if the two contradict each other, as after a suspension,
   * during which the monotonic clock stood still, or when another server took over.
   */
  learn(serverMs: number, askedAtMs: number): void {
    const monotonicMs = this.#clock.monotonicMs()
    const halfMs = (monotonicMs - askedAtMs) / 2
    // Truncated to the millisecond on both sides.
    const next: Anchor = { serverMs: serverMs + halfMs, monotonicMs, errorMs: halfMs + 1 }
    const anchor = this.#anchor
    if (anchor) {
      const errorMs = anchor.errorMs + (monotonicMs - anchor.monotonicMs) * DRIFT
      const apart = Math.abs(this.#at(anchor, monotonicMs) - next.serverMs)
      if (next.errorMs > errorMs && apart <= errorMs + next.errorMs) return
    }
    this.#anchor = next
  }

  #at({ serverMs, monotonicMs }: Anchor, nowMs: number): number {
    return serverMs + (nowMs - monotonicMs)
  }
}
