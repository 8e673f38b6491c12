import { CountersignError } from 'countersign'

/** Work that an answer does not wait for, so that how long it takes tells nobody anything. */
export interface Later {
  /**
   * Does `work` soon; what it throws goes to `failed`.
   *
   * @throws CountersignError `ERR_BUSY` when too much waits already, whatever the work is.
   */
  add(work: () => Promise<unknown>): void
  /** Resolves when nothing is left to do. */
  settled(): Promise<void>
}

/** At once, so that a flood of requests leaves the store to others. */
const AT_ONCE = 4
const WAITING = 1_000

export function createLater(failed: (error: unknown) => void): Later {
  const waiting: (() => Promise<unknown>)[] = []
  const idle: (() => void)[] = []
  let running = 0

  const next = (): void => {
    const work = running < AT_ONCE ? waiting.shift() : undefined
    if (!work) {
      if (running === 0) for (const done of idle.splice(0)) done()
      return
    }
    running++
    void work()
      .catch(failed)
      .finally(() => {
        running--
        next()
      })
  }
  return {
    add(work) {
      if (waiting.length >= WAITING) {
        throw new CountersignError('ERR_BUSY', 'too much waits to be done', { retryable: true })
      }
      waiting.push(work)
      // Not in this turn: the answer is written first.
      setImmediate(next)
    },
    settled: () =>
      running === 0 && waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve)),
  }
}
