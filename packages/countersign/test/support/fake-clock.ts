import { type Runtime, systemRuntime } from 'countersign'
import type { Store } from 'countersign/stores/contract'

/** A clock that moves only when the test says so. Starts at the real time, because Redis expires keys by its own. */
export interface FakeClock {
  readonly runtime: Runtime
  nowMs(): number
  advance(ms: number): void
  /** The store, telling this clock's time. Stores judge nothing by a clock of their own, so this moves all of it. */
  on(store: Store): Store
}

export function fakeClock(): FakeClock {
  let nowMs = Date.now()
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
  return {
    runtime: { ...systemRuntime, clock },
    nowMs: () => nowMs,
    advance: (ms) => {
      nowMs += ms
    },
    on: (store) => ({ ...store, lifecycle: { ...store.lifecycle, nowMs: () => nowMs } }),
  }
}

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
