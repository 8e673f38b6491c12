import { CountersignError } from '../../internal/errors.ts'

/** Lets only so many jobs run at once and only so many wait. */
export interface Slots {
  /**
   * Runs `job` when its turn comes, in the order of arrival.
   *
   * @param signal - Leaves the queue, with the signal's reason. A job that has begun is finished and keeps its slot.
   * @throws CountersignError `ERR_BUSY` (retryable) when the queue is full.
   */
  run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createSlots(concurrency: number, queue: number): Slots {
  let running = 0
  // A Set keeps the order of arrival and lets go of a waiting caller in the middle.
  const waiting = new Set<() => void>()

  const enter = (signal: AbortSignal | undefined): Promise<void> => {
    if (running < concurrency) {
      running++
      return Promise.resolve()
    }
    if (waiting.size >= queue) {
      throw new CountersignError('ERR_BUSY', 'too many passwords are being hashed; try again in a moment', {
        retryable: true,
      })
    }
    return new Promise((resolve, reject) => {
      const begin = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        waiting.delete(begin)
        reject(signal!.reason)
      }
      waiting.add(begin)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
  // The slot goes straight to the next caller, so that nobody who comes in between overtakes it.
  const exit = () => {
    const [next] = waiting
    if (next === undefined) running--
    else {
      waiting.delete(next)
      next()
    }
  }

  return {
    async run(job, signal) {
      signal?.throwIfAborted()
      await enter(signal)
      try {
        return await job()
      } finally {
        exit()
      }
    },
  }
}
