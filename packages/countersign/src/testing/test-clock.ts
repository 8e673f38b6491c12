import { type Duration, inputDurationMs } from '../internal/duration.ts'
import { invalidInput } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import type { Lifecycle, Store } from '../stores/contract.ts'
import { refuseProduction } from './refuse-production.ts'

/** A clock that stands still until the test moves it. **Only for tests.** */
export interface TestClock {
  /**
   * For the option `runtime` of `createSessions`, `memoryStore`, `createAccounts` and the like. Random bytes are real, and
   * timers run in real time: nothing is called earlier because the clock was moved.
   */
  readonly runtime: Runtime
  /** Milliseconds since the epoch. */
  nowMs(): number
  /**
   * Moves on by `'90s'`, `'10m'`, `'12h'`, `'7d'`.
   *
   * @throws CountersignError `ERR_INPUT_INVALID` when it is anything else.
   */
  advance(by: Duration): void
  /** The same in whole milliseconds, 0 or more: for one either side of a limit. */
  advanceMs(ms: number): void
  /**
   * The store, telling this clock's time instead of its server's. Stores judge nothing by a clock of their own, so this
   * moves all of it. A server that expires keys does so by the real time: start there, which is the default.
   */
  on<S extends Partial<Store>>(store: S): S
}

/**
 * Makes a clock that stands still until the test moves it. **Only for tests: a server on such a clock never ends a
 * session.**
 *
 * @param options.startMs - Where it starts, in whole milliseconds since the epoch. Default: the real time.
 * @throws CountersignError `ERR_CONFIG_UNSAFE` where `NODE_ENV` is `production`.
 */
export function testClock(options: { readonly startMs?: number } = {}): TestClock {
  refuseProduction('testClock')
  let nowMs = checkMs(options.startMs ?? systemRuntime.clock.nowMs(), 'startMs')
  const advanceMs = (ms: number) => {
    nowMs += checkMs(ms, 'ms')
  }
  return {
    runtime: { ...systemRuntime, clock: { nowMs: () => nowMs, monotonicMs: () => nowMs } },
    nowMs: () => nowMs,
    advance: (by) => advanceMs(inputDurationMs(by, 'by')),
    advanceMs,
    on(store) {
      const { sessions, revocations, accounts, once, lifecycle } = store
      const parts = { sessions, revocations, accounts, once, lifecycle: lifecycle && telling(lifecycle, () => nowMs) }
      return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) as typeof store
    },
  }
}

/** By name, and not with a spread, which would lose the methods of a class. */
function telling(lifecycle: Lifecycle, nowMs: () => number): Lifecycle {
  return {
    name: lifecycle.name,
    ready: (placement) => lifecycle.ready(placement),
    health: () => lifecycle.health(),
    nowMs,
    close: () => lifecycle.close(),
  }
}

function checkMs(ms: number, name: string): number {
  if (!Number.isSafeInteger(ms) || ms < 0) throw invalidInput(name, 'must be whole milliseconds, 0 or more')
  return ms
}
