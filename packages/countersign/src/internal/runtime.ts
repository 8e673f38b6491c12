import { randomFillSync } from 'node:crypto'

/**
 * Everything that makes a program differ from one run to the next. Every part of Countersign takes it as an argument;
 * this file is the only one that touches the real thing, which a check in CI enforces.
 */
export interface Runtime {
  readonly clock: Clock
  /** Returns `bytes` fresh random bytes from a cryptographically secure source. */
  readonly random: (bytes: number) => Uint8Array
  readonly timers: Timers
}

export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. May jump. */
  nowMs(): number
  /** Milliseconds that never go back. Stands still while the process or the machine is suspended. */
  monotonicMs(): number
}

export interface Timers {
  /**
   * Calls `fn` once after `ms` milliseconds. A `background` timer does not keep the process alive; one that a caller
   * waits for must, or the process would end with the call unanswered.
   */
  setTimeout(fn: () => void, ms: number, background?: 'background'): unknown
  clearTimeout(timer: unknown): void
}

/** The real clock, random source and timers of the platform. The default everywhere. */
export const systemRuntime: Runtime = {
  clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  random: (bytes) => randomFillSync(new Uint8Array(bytes)),
  timers: {
    setTimeout: (fn, ms, background) => {
      const timer = setTimeout(fn, ms)
      return background ? timer.unref() : timer
    },
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  },
}

/** A moment on both clocks, for asking later how much time has passed at most. */
export interface Moment {
  readonly wallMs: number
  readonly monotonicMs: number
}

export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }
}

/**
 * Milliseconds since `since`: the larger of what the two clocks say. The monotonic clock misses a suspension, the wall
 * clock misses being set back; for "is this copy still young enough" only the larger answer is safe.
 */
export function elapsedMs(clock: Clock, since: Moment): number {
  return Math.max(clock.nowMs() - since.wallMs, clock.monotonicMs() - since.monotonicMs)
}
