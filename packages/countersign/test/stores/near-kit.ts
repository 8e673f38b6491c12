// What the tests of the near cache on any store ask for.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'

interface Sessions {
  verify(token: string): Promise<unknown>
  verifyNow(token: string): { readonly ok: boolean } | undefined
}

export const isServed = (sessions: Sessions, token: string) => sessions.verifyNow(token)?.ok === true

/** Until the token is answered from its copy. */
export async function fill(sessions: Sessions, ...tokens: string[]) {
  const are = async () => {
    for (const token of tokens) if (!isServed(sessions, token)) await sessions.verify(token).catch(() => undefined)
    return tokens.every((token) => isServed(sessions, token))
  }
  await expect.poll(are, { timeout: 20_000, interval: 10 }).toBe(true)
}

/** Asks all the time, and notes the last moment at which the answer was still yes. */
export function watchStale(sessions: Sessions, token: string) {
  let [lastServedMs, served, isOver] = [Number.NEGATIVE_INFINITY, 0, false]
  const done = (async () => {
    while (!isOver) {
      const atMs = performance.now()
      if (isServed(sessions, token)) {
        served++
        lastServedMs = atMs
      }
      await sleep(1)
    }
  })()
  return {
    async end() {
      isOver = true
      await done
      return { lastServedMs, served }
    },
  }
}
