import type { Runtime } from '../internal/runtime.ts'
import type { SessionStore } from '../stores/contract.ts'

const EVERY_MS = 5_000
/** Pause after a turn that did not come to the end. */
const BUSY_MS = 50
/** Rows per step: a step of this size blocks nobody for long. */
const ROWS = 100
/** Steps in a row before others get their turn. */
const STEPS = 50

/** Deletes, a little at a time, what the store keeps and nobody can refer to any more. */
export function startSweeper(
  sessions: SessionStore,
  runtime: Runtime,
  nowMs: () => number,
  onFailure: (error: unknown) => void,
): () => void {
  if (!sessions.sweep) return () => undefined
  let stopped = false
  let timer: unknown
  const turn = async () => {
    let pauseMs = BUSY_MS
    try {
      for (let step = 0; step < STEPS && !stopped; step++) {
        if ((await sessions.sweep?.(nowMs(), ROWS)) === 0) {
          pauseMs = EVERY_MS
          break
        }
        await new Promise<void>((resolve) => runtime.timers.setTimeout(resolve, 1, 'background'))
      }
    } catch (error) {
      pauseMs = EVERY_MS
      if (!stopped) onFailure(error)
    }
    if (!stopped) timer = runtime.timers.setTimeout(turn, pauseMs, 'background')
  }
  timer = runtime.timers.setTimeout(turn, EVERY_MS, 'background')
  return () => {
    stopped = true
    runtime.timers.clearTimeout(timer)
  }
}
