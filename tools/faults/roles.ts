// Who is a primary, watched: on a busy machine a replica may take over that nobody has asked. What the one before acknowledges
// from then on until it has heard of it is lost, and what it had acknowledged shortly before may be.
import { setTimeout as sleep } from 'node:timers/promises'
import { command } from '../test-support/redis-command.ts'
import type { Loss } from './check.ts'

const EVERY_MS = 200

/** A loss that may still go on. */
export type Watched = { -readonly [K in keyof Loss]: Loss[K] }

/**
 * @param lost - Told of each loss when it begins; it is over when there are as many primaries as in the beginning again.
 * @param isLossless - Whether what changed between two moments had been agreed upon.
 */
export function watchRoles(
  urls: readonly string[],
  nowMs: () => number,
  lost: (loss: Watched) => void,
  isLossless: (fromMs: number, untilMs: number) => boolean = () => false,
): () => Promise<void> {
  const roles = new Map<string, string>()
  // One that does not answer is what it was, until it says otherwise.
  const look = (url: string) =>
    command(url, 'ROLE').then(
      (answer) => void roles.set(url, String((answer as readonly unknown[])[0])),
      () => {},
    )
  let isOver = false
  const watch = async () => {
    let [before, lastMs]: [string[] | undefined, number] = [undefined, nowMs()]
    let usual = 0
    let loss: Watched | undefined
    while (!isOver) {
      const beganMs = nowMs()
      await Promise.all(urls.map(look))
      const primaries = urls.filter((url) => roles.get(url) === 'master')
      const hasChanged = before !== undefined && before.join() !== primaries.join()
      if (before === undefined && roles.size === urls.length) usual = primaries.length
      if (hasChanged && !loss && !isLossless(lastMs, nowMs())) {
        loss = { fromMs: lastMs, untilMs: Number.POSITIVE_INFINITY, healedMs: Number.POSITIVE_INFINITY }
        lost(loss)
      }
      if (loss && primaries.length === usual) {
        loss.untilMs = nowMs()
        loss = undefined
      }
      if (usual > 0) before = primaries
      lastMs = beganMs
      await sleep(EVERY_MS)
    }
  }
  const watching = watch()
  return () => {
    isOver = true
    return watching
  }
}
