import type { Platform } from './platform.ts'

/** Starts counting; the answer is how many milliseconds have passed. */
export function stopwatch(platform: Platform): () => number {
  const monotonicMs = platform.monotonicMs()
  const wallMs = platform.wallMs()
  // The larger of two clocks: one stands still while the computer sleeps, the other may be set.
  return () => Math.max(platform.monotonicMs() - monotonicMs, platform.wallMs() - wallMs)
}
