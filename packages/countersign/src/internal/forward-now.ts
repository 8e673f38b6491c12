import { type Clock, momentOf } from './runtime.ts'

/**
 * A source of whole milliseconds since the epoch that never goes back: the later of the wall clock and of what has
 * passed since the last answer. For stores that have no clock but that of this machine.
 * A wall clock that was set forward and back again leaves it ahead, so deadlines come early, never late.
 */
export function forwardNow(clock: Clock): () => number {
  let { wallMs: answerMs, monotonicMs: atMs } = momentOf(clock)
  return () => {
    // Each clock once, and no object: every check of a token asks this.
    const monotonicMs = clock.monotonicMs()
    answerMs = Math.max(answerMs, clock.nowMs(), answerMs + (monotonicMs - atMs))
    atMs = monotonicMs
    return Math.floor(answerMs)
  }
}
