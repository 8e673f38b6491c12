// Who is a primary, watched: on a busy machine a replica may take over that nobody has asked, and what the one before had
// acknowledged since may be gone.
import { setTimeout as sleep } from 'node:timers/promises'
import { command } from '../test-support/redis-command.ts'

const EVERY_MS = 200

/** @param changed - A server became something else between these moments of `nowMs`. */
export function watchRoles(
  urls: readonly string[],
  nowMs: () => number,
  changed: (fromMs: number, untilMs: number) => void,
): () => Promise<void> {
  let isOver = false
  const watch = async (url: string) => {
    let last: { readonly role: string; readonly atMs: number } | undefined
    while (!isOver) {
      const atMs = nowMs()
      // One that does not answer is what it was, until it says otherwise.
      const answer = await command(url, 'ROLE').catch(() => undefined)
      if (Array.isArray(answer)) {
        const role = String(answer[0])
        if (last !== undefined && last.role !== role) changed(last.atMs, nowMs())
        last = { role, atMs }
      }
      await sleep(EVERY_MS)
    }
  }
  const watching = Promise.all(urls.map(watch))
  return async () => {
    isOver = true
    await watching
  }
}
