import { CountersignError } from '../internal/errors.ts'

/**
 * Writes that no caller waits for: coarse touches and confirmations. At most one per session at a time, and `settle`
 * waits for those under way, so that closing loses none of them.
 */
export interface Background {
  run(key: string, write: () => Promise<void>): void
  settle(): Promise<void>
}

export function createBackground(onFailure: (code: string) => void): Background {
  const running = new Map<string, Promise<void>>()
  return {
    run(key, write) {
      if (running.has(key)) return
      const done = write()
        .catch((error: unknown) => onFailure(error instanceof CountersignError ? error.code : 'unknown'))
        .finally(() => running.delete(key))
      running.set(key, done)
    },
    async settle() {
      await Promise.all(running.values())
    },
  }
}
